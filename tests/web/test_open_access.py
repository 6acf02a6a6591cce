"""AUTH_REQUIRED=False: a simulation on loopback that asks nobody for a token, and the manual's examples as written."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import trustme
from trio_websocket import open_websocket_url

from genesis.cli.main import call
from genesis.run_options import ExitCode
from tests.web.fakes import a_web
from tests.web.running import a_run
from web.tokens import Scope

EXAMPLES = Path(__file__).with_name("seed_examples.sh")


async def two_topics(base: str) -> list[dict[str, Any]]:
    """What the stream says first to a client that shows nothing."""
    with trio.fail_after(60):
        async with open_websocket_url(base.replace("http", "ws") + "/api/v2/stream") as connection:
            await connection.send_message('{"op":"subscribe","topics":["status"]}')
            messages: list[dict[str, Any]] = []
            while len(messages) < 2:
                messages += json.loads(await connection.get_message())["messages"]
            return messages


def test_the_manuals_examples_run_and_nobody_is_asked_for_a_token(tmp_path: Path) -> None:
    with a_run(tmp_path, AUTH_REQUIRED="False") as base, httpx.Client(base_url=base, trust_env=False) as client:
        told = client.get("/health").json()
        assert (told["dev"], told["auth_required"]) == (True, False)
        assert client.get("/api/v2/wallets").status_code == 200
        foreign = {"Origin": "https://evil.example"}
        assert client.get("/api/v2/wallets", headers=foreign).status_code == 403
        assert client.post("/api/v2/stopentry", headers=foreign).status_code == 403
        session, status = trio.run(two_topics, base)[:2]
        assert (session["topic"], session["data"]["scope"]) == ("session", "admin")
        assert status["data"]["auth_required"] is False
        environment = {**os.environ, "BASE": base, "NO_PROXY": "127.0.0.1"}
        done = subprocess.run(["bash", str(EXAMPLES)], capture_output=True, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.decode().splitlines()]
    wallets, order, cancelled, *risk = answers
    assert wallets["quote_currency"] == "USD"
    assert order["accepted"] is True
    assert cancelled["accepted"] is True
    assert risk[0]["changed"] == ["risk.max_trades_per_day"]
    assert risk[2]["risk"]["state"] == "ACTIVE"


@pytest.mark.parametrize(
    ("words", "host"),
    [(["--mode", "paper"], "127.0.0.1"), ([], "192.0.2.1"), (["--mode", "live", "--live"], "127.0.0.1")],
)
def test_real_money_and_other_machines_always_need_a_token(
    words: list[str], host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("AUTH_REQUIRED", "False")
    monkeypatch.setenv("GENESIS_WEB__HOST", host)
    monkeypatch.setenv("GENESIS_HOME", str(tmp_path / "home"))
    assert call(["run", *words]) == ExitCode.CONFIGURATION
    assert "AUTH_REQUIRED=False needs mode sim on loopback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("AUTH_REQUIRED", "perhaps", "AUTH_REQUIRED must be True or False, was perhaps"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "soon", "must be a number from 1 to 1440, was soon"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "0", "must be a number from 1 to 1440, was 0"),
        ("GENESIS_WEB__HOST", "192.0.2.1", "must be a loopback address (127.0.0.1) unless TLS is configured"),
        ("GENESIS_WEB__TLS_KEY", "key.pem", "must be given together"),
    ],
)
def test_what_cannot_be_meant_is_said_in_a_sentence(
    name: str,
    value: str,
    part: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("GENESIS_HOME", str(tmp_path / "home"))
    assert call(["run", "--port", "0"]) == ExitCode.CONFIGURATION
    assert part in capsys.readouterr().err


async def test_tokens_live_as_long_as_the_engine_says_unless_the_asker_does() -> None:
    web = a_web(dev=True)
    web.tokens.default_life_s = 120
    async with web.client(None) as client:
        told = (await client.post("/api/v2/auth/ws-token", json={"user_id": "x"})).json()
        assert told["expires_ms"] - web.clock.wall_ms() == 120_000
        asked = {"user_id": "x", "expiry_hours": 0.1}
        told = (await client.post("/api/v2/auth/ws-token", json=asked)).json()
        assert told["expires_ms"] - web.clock.wall_ms() == 360_000


async def test_without_open_access_a_missing_token_is_still_a_refusal() -> None:
    async with a_web(dev=True).client(None) as client:
        assert (await client.get("/api/v2/wallets")).status_code == 401
    web = a_web()
    web.app.config["API"].open_access = True
    async with web.client(None) as client:
        assert (await client.get("/api/v2/wallets")).status_code == 200
        # A token that is shown must still be good, and says what it may.
        headers = {"Authorization": "Bearer x.y.z"}
        assert (await client.get("/api/v2/wallets", headers=headers)).status_code == 401
        assert (await client.post("/api/v2/stopentry", headers=web.bearer(Scope.READ))).status_code == 403


def test_beyond_loopback_the_page_speaks_tls_and_commands_of_this_machine_find_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    certificate, key, home = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "home"
    made = trustme.CA().issue_cert("genesis.example")
    made.private_key_pem.write_to_path(key)
    made.cert_chain_pems[0].write_to_path(certificate)
    home.mkdir()
    (home / "config").mkdir()
    settings = {"host": "0.0.0.0", "names": ["genesis.example"]}  # noqa: S104 -- it is what is tested
    files = {"tls_certificate": str(certificate), "tls_key": str(key)}
    (home / "config" / "web.json").write_text(json.dumps({**settings, **files}))
    with a_run(home) as base:
        assert base.startswith("https://genesis.example:")
        monkeypatch.setenv("GENESIS_HOME", str(home))
        assert call(["status", "--json"]) == ExitCode.OK
        assert json.loads(capsys.readouterr().out)
        assert call(["token", "--link"]) == ExitCode.OK
        assert capsys.readouterr().out.startswith(f"{base}/?ticket=")
