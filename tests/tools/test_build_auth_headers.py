"""Signed headers as the documents have them, for people; the secret is never among them."""

import subprocess
import sys
from pathlib import Path

import pytest

from protocols.bitfinex.errors import LocalProtocolError
from tools.build_auth_headers import build, signed_path

ROOT = Path(__file__).parents[2]
SIGNATURE = "577b4f0b17110fade4995ea0758235458db5fe8fc17fd2bbe0d2151140d2ea6044f53c82128ca03d9b80158817c94d3c"
KEYS = {"BITFINEX_API_KEY": "genesis-test-key", "BITFINEX_API_SECRET": "genesis-test-secret"}


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.build_auth_headers", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_headers_are_the_documented_ones_and_hold_no_secret() -> None:
    done = run("/v2/auth/r/wallets", "--nonce", "1700000000000000", **KEYS)
    assert done.returncode == 0
    assert f"bfx-signature: {SIGNATURE}" in done.stdout
    assert "genesis-test-secret" not in done.stdout + done.stderr


def test_without_keys_it_says_what_is_missing() -> None:
    done = run("v2/auth/r/wallets", BITFINEX_API_KEY="x")
    assert done.returncode == 4
    assert "must be set" in done.stderr


def test_a_curl_command_sends_the_body_as_signed() -> None:
    command = build("v2/auth/r/wallets", "{}", key="k", secret="s", nonce=5, curl_address="http://127.0.0.1:8080")
    assert command.startswith("curl -X POST http://127.0.0.1:8080/v2/auth/r/wallets ")
    assert command.endswith("--data-raw '{}'")


def test_paths_come_in_every_form() -> None:
    for text in ("v2/auth/r/wallets", "/v2/auth/r/wallets", "https://api.bitfinex.com/v2/auth/r/wallets"):
        assert signed_path(text) == "v2/auth/r/wallets"
    for text in ("v2/ticker/tBTCUSD", "v2/auth/r/wallets?x=1", "https://api.bitfinex.com"):
        with pytest.raises(LocalProtocolError, match="must begin with"):
            signed_path(text)
    assert run("v2/ticker", **KEYS).returncode == 1
