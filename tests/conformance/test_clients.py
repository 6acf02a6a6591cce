"""Clients that nobody here wrote trade on our exchange, unmodified, and docs/conformance.md says what they did."""

import pytest

from tools import clients_env, conformance

pytestmark = [pytest.mark.clients, pytest.mark.slow]


@pytest.mark.parametrize("script", [*conformance.SCRIPTS, *conformance.NODE_SCRIPTS, *conformance.FEED_SCRIPTS])
def test_a_client_that_nobody_here_wrote_trades_on_our_exchange(script: str) -> None:
    if not clients_env.TRADERS.is_current():
        pytest.skip("no environment for other people's clients: `make clients` builds it")
    if script in conformance.NODE_SCRIPTS and not clients_env.node_is_current():
        pytest.skip("no environment for clients in Node: `make clients` builds it where node and npm are")
    if script in conformance.FEED_SCRIPTS and not clients_env.FEEDS.is_current():
        pytest.skip("no environment for cryptofeed: `make clients` builds it")
    _passes(script)


@pytest.mark.parametrize("script", conformance.WIRE_SCRIPTS)
def test_what_a_client_that_was_not_to_be_had_says_is_answered_as_its_parser_wants(script: str) -> None:
    _passes(script)


def _passes(script: str) -> None:
    lines, errors = conformance.run(script)
    assert [f"{line.operation}: {line.problem}" for line in lines if not line.passed] == [], errors
    page = conformance.PAGE.read_text()
    # A table of what passed once is worth nothing: it must be what passes now, with these versions.
    missing = [line.operation for line in lines if f"| {line.client} | {line.operation} | yes |" not in page]
    assert missing == [], "docs/conformance.md must be as `make conformance` writes it"
    assert page.count(f"\n| {lines[0].client} |") == len(lines) + 1
    assert f"| {lines[0].client} | {lines[0].version} |" in page
