"""Providers of secrets against servers that speak their APIs, and everything that a provider may do wrong."""

import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import trio

from genesis.edge.errors import SecretRefused
from genesis.edge.secret_providers import is_reference, resolve
from genesis.edge.user_dir import UserDir
from genesis.environment import with_secrets
from tests.genesis.edge.scripted_http import Answer, Heard, ScriptedHttp, scripted_http

CANARY = "canary-7f3a91"
VAULT_ID, ITEM_ID = "v" * 26, "i" * 26


@pytest.fixture
async def server() -> AsyncIterator[ScriptedHttp]:
    async with scripted_http() as server:
        yield server


def told(value: object, status: int = 200) -> Answer:
    return Answer(status=status, body=json.dumps(value).encode())


async def fetch(reference: str, environment: dict[str, str]) -> str:
    with trio.fail_after(60):
        return (await trio.to_thread.run_sync(partial(resolve, reference, environment))).reveal()


def vault_of(server: ScriptedHttp) -> dict[str, str]:
    return {"VAULT_ADDR": server.url, "VAULT_TOKEN": "root-token", "VAULT_NAMESPACE": "team"}


@pytest.mark.parametrize("version", [1, 2])
async def test_vault_gives_a_field_of_either_engine(server: ScriptedHttp, version: int) -> None:
    values = {"key": CANARY, "other": "x"}
    data = values if version == 1 else {"data": values, "metadata": {"version": 3}}
    server.otherwise = lambda heard: told({"data": data})
    assert await fetch("vault:secret/data/genesis#key", vault_of(server)) == CANARY
    [heard] = server.heard
    headers = {name.lower(): value for name, value in heard.headers.items()}
    assert heard.target == "/v1/secret/data/genesis"
    assert (headers["x-vault-token"], headers["x-vault-namespace"]) == ("root-token", "team")


def connect(heard: Heard) -> Answer:
    """1Password Connect with one vault of one item."""
    if heard.headers.get("authorization", heard.headers.get("Authorization")) != "Bearer op-token":
        return told({"status": 401}, 401)
    url = urlsplit(heard.target)
    asked = parse_qs(url.query).get("filter", [""])[0]
    match url.path:
        case "/v1/vaults":
            return told([{"id": VAULT_ID}] if asked == 'name eq "Trading"' else [])
        case path if path == f"/v1/vaults/{VAULT_ID}/items":
            return told([{"id": ITEM_ID}] if asked == 'title eq "Bitfinex"' else [])
        case path if path == f"/v1/vaults/{VAULT_ID}/items/{ITEM_ID}":
            return told({"fields": [{"id": "f1", "label": "secret", "value": CANARY}, {"id": "f2", "label": "empty"}]})
    return told({}, 404)


async def test_1password_connect_finds_vault_item_and_field(server: ScriptedHttp) -> None:
    server.otherwise = connect
    environment = {"OP_CONNECT_HOST": server.url, "OP_CONNECT_TOKEN": "op-token"}
    for reference in ("op:Trading/Bitfinex/secret", "op://Trading/Bitfinex/f1", f"op:{VAULT_ID}/{ITEM_ID}/secret"):
        assert await fetch(reference, environment) == CANARY
    for reference in ("op:Trading/Bitfinex/empty", "op:Trading/Bitfinex/none", "op:Nowhere/Bitfinex/secret"):
        with pytest.raises(SecretRefused, match="must"):
            await fetch(reference, environment)


async def test_azure_signs_in_and_reads_a_version(server: ScriptedHttp) -> None:
    def answer(heard: Heard) -> Answer:
        if heard.target == "/tenant-1/oauth2/v2.0/token":
            form = parse_qs(heard.body.decode())
            assert form["client_secret"] == ["azure-secret"]
            assert form["scope"] == ["https://vault.azure.net/.default"]
            return told({"access_token": "bearer-1", "expires_in": 3599})
        assert heard.target == "/secrets/bitfinex-key/7?api-version=7.4"
        return told({"value": CANARY, "id": "x"})

    server.otherwise = answer
    environment = {
        "AZURE_TENANT_ID": "tenant-1",
        "AZURE_CLIENT_ID": "client-1",
        "AZURE_CLIENT_SECRET": "azure-secret",
        "AZURE_AUTHORITY_HOST": server.url,
        "AZURE_KEYVAULT_URL": server.url,
    }
    assert await fetch("azure:my-vault/bitfinex-key/7", environment) == CANARY


@pytest.mark.parametrize(
    "answer",
    [
        told({"errors": [CANARY]}, 403),
        told({"errors": [CANARY]}, 500),
        Answer(status=302, headers=(("Location", "https://evil.example/"),)),
        Answer(body=b"<html>" + CANARY.encode()),
        Answer(body=b"[" * 100_000),
        Answer(body=b'"' + b"x" * 1_500_000 + b'"'),
        told([CANARY]),
        told({"data": {"other": CANARY}}),
        told({"data": {"key": ""}}),
        told({"data": {"key": 7}}),
        told({"data": None}),
        Answer(cut=True),
    ],
    ids=lambda answer: f"{answer.status}-{answer.body[:12]!r}-{answer.cut}",
)
async def test_whatever_a_provider_answers_is_refused_and_not_repeated(server: ScriptedHttp, answer: Answer) -> None:
    server.otherwise = lambda heard: answer
    with pytest.raises(SecretRefused) as refused:
        await fetch("vault:secret/genesis#key", vault_of(server))
    assert CANARY not in str(refused.value)
    assert "root-token" not in str(refused.value)
    assert len(server.heard) == 1, "no redirect is followed and nothing is asked twice"


@pytest.mark.parametrize(
    ("reference", "environment", "text"),
    [
        ("vault:secret/genesis", {}, "vault:PATH#FIELD"),
        ("vault:secret/genesis#key", {}, "VAULT_ADDR must be set"),
        ("vault:s#k", {"VAULT_ADDR": "http://vault.example", "VAULT_TOKEN": "t"}, "must begin with https://"),
        ("vault:s#k", {"VAULT_ADDR": "https://u:p@vault.example", "VAULT_TOKEN": "t"}, "must be an address"),
        ("vault:s#k", {"VAULT_ADDR": "http://127.0.0.1:9", "VAULT_TOKEN": "t"}, "must be reachable"),
        ("vault:s#k", {"VAULT_ADDR": "http://[::1]:9", "VAULT_TOKEN": "op:a/b/c"}, "kept on this machine"),
        ("op:only/two", {}, "op:VAULT/ITEM/FIELD"),
        ("azure:x/y", {}, "azure:VAULT/NAME"),
        ("azure:vault.evil.example/name", {}, "azure:VAULT/NAME"),
        ("env:NOBODY", {}, "must be set"),
        ("file:/nowhere/at/all", {}, "must be readable"),
        ("cmd:/bin/false", {}, "must end with 0"),
        ("plain-secret", {}, "must begin with"),
    ],
)
def test_a_reference_that_cannot_be_followed_says_what_it_must_be(
    reference: str, environment: dict[str, str], text: str
) -> None:
    with pytest.raises(SecretRefused, match=text.replace("(", r"\(")):
        resolve(reference, environment)


async def test_the_environment_is_read_with_its_secrets_fetched(server: ScriptedHttp, tmp_path: Path) -> None:
    server.otherwise = lambda heard: told({"data": {"key": CANARY}})
    home = UserDir(tmp_path)
    home.create()
    kept = home.secrets / "telegram_bot_token"
    kept.write_text("from-file\n")
    kept.chmod(0o600)
    token = tmp_path / "token"
    token.write_text("root-token")
    token.chmod(0o600)
    environment = {
        **vault_of(server),
        "VAULT_TOKEN": f"file:{token}",
        "BITFINEX_API_SECRET": "vault:secret/genesis#key",
        "BITFINEX_API_KEY": "plain",
        "JWT_SECRET_KEY_CMD": "echo from-command",
        "TELEGRAM_BOT_TOKEN": "hidden by the file",
        "OTHER": "vault:untouched#x",
    }
    names = ("BITFINEX_API_SECRET", "BITFINEX_API_KEY", "JWT_SECRET_KEY", "TELEGRAM_BOT_TOKEN", "NOTIFY_WEBHOOK_URL")
    call: Callable[[], dict[str, str]] = partial(with_secrets, environment, names, home)
    found = await trio.to_thread.run_sync(call)
    assert {name: found.get(name) for name in (*names, "OTHER")} == {
        "BITFINEX_API_SECRET": CANARY,
        "BITFINEX_API_KEY": "plain",
        "JWT_SECRET_KEY": "from-command",
        "TELEGRAM_BOT_TOKEN": "from-file",
        "NOTIFY_WEBHOOK_URL": None,
        "OTHER": "vault:untouched#x",
    }
    assert environment["BITFINEX_API_SECRET"] == "vault:secret/genesis#key", "what was given is left as it was"
    assert "JWT_SECRET_KEY_CMD" not in found


def test_only_a_scheme_makes_a_reference() -> None:
    assert all(map(is_reference, ("vault:a#b", "op://a/b/c", "cmd:pass show x", " env:X ")))
    assert not any(map(is_reference, ("", "secret", "vault:", "https://hooks.example/x", "a:b", "Vault:a#b")))
