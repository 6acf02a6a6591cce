"""Routes are as cheap to make as they are used: their addresses are compiled when somebody asks for one."""

import builtins
from typing import Any

import pytest
from quart.routing import QuartRule
from werkzeug.routing import Map

from tests.web.fakes import a_web
from web.app import _addresses
from web.rules import Rule

PATHS = ("/", "/api/v2/orders", "/api/v2/order/<order_id>", "/api/v2/config/<section>/<key>")


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was compiled meanwhile."""
    seen: list[Any] = []
    compile_it = builtins.compile

    def watched(source: Any, name: Any, *args: Any, **options: Any) -> Any:
        if name == "<werkzeug routing>":
            seen.append(source)
        return compile_it(source, name, *args, **options)

    monkeypatch.setattr(builtins, "compile", watched)
    return seen


def test_an_application_compiles_no_address(compiled: list[Any]) -> None:
    # As the first one of a process finds it.
    _addresses.cache_clear()
    web = a_web()
    assert {type(rule) for rule in web.app.url_map.iter_rules()} == {Rule}
    assert compiled == []


def test_every_address_has_a_view_of_each_application_and_the_addresses_are_made_once() -> None:
    first, second = a_web().app, a_web().app
    assert first.url_map is second.url_map
    for app in (first, second):
        assert {rule.endpoint for rule in app.url_map.iter_rules()} == set(app.view_functions)
    assert not set(first.view_functions.values()) & set(second.view_functions.values())


def test_who_asks_for_an_address_gets_the_framework_s(compiled: list[Any]) -> None:
    values = {"order_id": "7 ½", "section": "risk", "key": "a/b", "more": "yes"}
    ours, theirs = (Map([kind(path, endpoint=path) for path in PATHS]).bind("venue.test") for kind in (Rule, QuartRule))
    before = len(compiled)
    for path in PATHS:
        wanted = {name: value for name, value in values.items() if f"<{name}>" in path or name == "more"}
        for _ in range(2):
            assert ours.build(path, wanted) == theirs.build(path, wanted)
            assert ours.build(path, wanted, append_unknown=False) == theirs.build(path, wanted, append_unknown=False)
    # Once for each way of asking, not each time.
    assert len(compiled) - before == 2 * len(PATHS)
