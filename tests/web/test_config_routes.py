"""The configuration over HTTP, with a real config actor behind it: changing, refusing, going back, and who may."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

from genesis.config_history import history_ports
from genesis.domain.config_keys import KEYS
from protocols.config import ConfigCommand, SettingsReply
from tests.actors.test_config import House, a_house
from tests.web.fakes import Told, Web, a_web, some_readers
from web.tokens import Scope

CONFIG = "/api/v2/config"


@attrs.define
class Site:
    web: Web
    house: House
    http: httpx.AsyncClient

    async def ok(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = await self.http.request(method, path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    async def refused(self, status: int, method: str, path: str, body: Any = None, **headers: str) -> str:
        answer = await self.http.request(method, path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return str(answer.json()["error"]["message"])

    def scope(self, scope: Scope) -> None:
        self.http.headers.update(self.web.bearer(scope))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with contextlib.AsyncExitStack() as stack:
        database, audit = tmp_path / "sim.sqlite", tmp_path / "audit.log"
        house = await stack.enter_async_context(a_house(database, audit=audit))

        async def tell(command: ConfigCommand) -> SettingsReply | None:
            return await house.ask(command)

        controls = attrs.evolve(Told().controls(), settings=tell, history=history_ports(database, audit))
        readers = some_readers(
            config=lambda: house.view.value,
            settings=lambda: house.settings.value,
            running=lambda: {"risk": house.settings.value.version},
        )
        web = a_web(readers=readers, controls=controls)
        http = await stack.enter_async_context(web.client(Scope.ADMIN))
        yield Site(web, house, http)


async def test_the_form_finds_everything_that_it_needs_to_know(site: Site) -> None:
    told = await site.ok("GET", f"{CONFIG}/keys")
    assert [row["key"] for row in told["keys"]] == list(KEYS)
    [row] = (await site.ok("GET", f"{CONFIG}/keys?word=max_drawdown"))["keys"]
    assert (row["type"], row["value"], row["range"], row["stricter"], row["targetable"]) == (
        "an exact number",
        "0.20",
        "0 to 1",
        "lower",
        True,
    )


async def test_a_key_is_set_shown_with_what_it_hides_and_cleared(site: Site) -> None:
    answer = await site.ok("POST", f"{CONFIG}/risk.max_drawdown", {"value": "0.1", "reason": "calm"})
    assert (answer["version"], answer["changed"]) == (2, ["risk.max_drawdown"])
    shown = await site.http.get(f"{CONFIG}/risk.max_drawdown")
    assert shown.headers["ETag"] == '"2"'
    assert (shown.json()["value"], shown.json()["layer"]) == ("0.1", "runtime")
    assert shown.json()["hidden"] == [{"layer": "defaults", "value": "0.20"}]
    assert (await site.ok("DELETE", f"{CONFIG}/risk.max_drawdown"))["version"] == 3
    assert (await site.ok("GET", f"{CONFIG}/risk.max_drawdown"))["layer"] == "defaults"
    assert "did you mean risk.max_drawdown?" in await site.refused(404, "GET", f"{CONFIG}/risk.max_drawdwn")


async def test_a_key_set_to_its_own_value_is_told_to_follow_its_file_no_more(site: Site) -> None:
    """A version without a change looked like a mistake, and an edit of the file did nothing from then on."""
    value = {"value": "0.20"}
    answer = await site.ok("POST", f"{CONFIG}/risk.max_drawdown", value)
    assert (answer["version"], answer["changed"]) == (2, [])
    assert "no value changed; risk.max_drawdown no longer follows files" in answer["message"]
    again = await site.ok("POST", f"{CONFIG}/risk.max_drawdown", value)
    assert (again["version"], again["message"]) == (2, "settings version 2: no value changed")


async def test_many_keys_change_together_or_not_at_all(site: Site) -> None:
    bad = {"risk.max_drawdown": 2, "risk.max_daly_loss": "0.1", "logs.level": "debug"}
    text = await site.refused(422, "POST", CONFIG, {"changes": bad})
    assert "risk.max_drawdown must be 0 to 1, was 2" in text
    assert "risk.max_daly_loss must be a known name" in text
    assert (await site.ok("GET", f"{CONFIG}/stats"))["version"] == 1
    answer = await site.ok("POST", CONFIG, {"changes": {"logs.level": "debug", "CANDLE_STALE_SECS": 60}})
    assert (answer["changed"], answer["pending"]) == (["logs.level", "market.candle_stale_s"], ["logs.level"])
    stats = await site.ok("GET", f"{CONFIG}/stats")
    assert (stats["running"], stats["applied"], stats["pending"]) == ({"risk": 2}, True, ["logs.level"])
    assert stats["refused_total"] == 1


async def test_what_contradicts_itself_changes_nothing(site: Site) -> None:
    both = {"changes": {"risk.max_drawdown": "0.1"}, "cleared": ["risk.max_drawdown"]}
    assert "risk.max_drawdown must be either set or cleared, was both" in await site.refused(422, "POST", CONFIG, both)
    # The engine counts its versions: this is no second writer, who would be told to read again.
    assert "version must be absent" in await site.refused(422, "POST", CONFIG, {"changes": {"version": 7}})
    assert (await site.ok("GET", f"{CONFIG}/stats"))["version"] == 1


async def test_who_has_not_seen_the_newest_version_overwrites_nothing(site: Site) -> None:
    await site.ok("POST", f"{CONFIG}/risk.max_drawdown", {"value": "0.1"}, **{"If-Match": '"1"'})
    for headers, body in (({"If-Match": '"1"'}, {}), ({}, {"expected_version": 1})):
        text = await site.refused(412, "POST", f"{CONFIG}/risk.max_drawdown", {"value": "0.3", **body}, **headers)
        assert "must be 2, the version in force, was 1" in text
    await site.refused(412, "POST", f"{CONFIG}/risk.max_drawdown", {"value": "0.3"}, **{"If-Match": '"abc"'})
    await site.ok("POST", f"{CONFIG}/risk.max_drawdown", {"value": "0.3"}, **{"If-Match": '"2"'})
    await site.ok("POST", f"{CONFIG}/risk.max_drawdown", {"value": "0.2"}, **{"If-Match": "*"})


async def test_trade_scope_tightens_and_admin_loosens(site: Site) -> None:
    site.scope(Scope.TRADE)
    await site.ok("POST", f"{CONFIG}/risk.max_drawdown", {"value": "0.1"})
    assert "loosening risk.max_drawdown" in await site.refused(
        403, "POST", f"{CONFIG}/risk.max_drawdown", {"value": "0.3"}
    )
    assert "loosening" in await site.refused(403, "DELETE", f"{CONFIG}/risk.max_drawdown")
    assert "changing orders.quarantine_s" in await site.refused(
        403, "POST", CONFIG, {"changes": {"orders.quarantine_s": 9, "risk.max_drawdown": "0.05"}}
    )
    await site.refused(403, "POST", f"{CONFIG}/rollback", {"version": 1})
    await site.refused(403, "POST", f"{CONFIG}/flags", {"name": "x", "values": {"risk.max_drawdown": "0.1"}})
    await site.refused(403, "POST", f"{CONFIG}/rollout", {"name": "x", "changes": {"risk.max_drawdown": "0.1"}})
    site.scope(Scope.ADMIN)
    await site.ok("DELETE", f"{CONFIG}/risk.max_drawdown")


async def test_history_diff_snapshot_and_rollback(site: Site) -> None:
    await site.ok("POST", f"{CONFIG}/snapshots", {"name": "before", "reason": "to be safe"})
    await site.ok("POST", f"{CONFIG}/risk.max_drawdown", {"value": "0.1", "reason": "one"})
    await site.ok("POST", f"{CONFIG}/risk.max_open_positions", {"value": 3, "reason": "two"})
    told = (await site.ok("GET", f"{CONFIG}/history?limit=2"))["versions"]
    assert [(each["version"], each["reason"], each["author"]) for each in told] == [
        (3, "two", "tester"),
        (2, "one", "tester"),
    ]
    assert told[0]["patch"] == [{"op": "replace", "path": "/risk/max_open_positions", "value": 3}]
    assert [each["version"] for each in (await site.ok("GET", f"{CONFIG}/history?below=2"))["versions"]] == [1]
    whole = await site.ok("GET", f"{CONFIG}/diff?old=1")
    assert (whole["new"], len(whole["changes"])) == (3, 2)
    assert (await site.ok("GET", f"{CONFIG}/history/2"))["told"]["settings"]["risk"]["max_drawdown"] == "0.1"
    await site.refused(404, "GET", f"{CONFIG}/history/99")
    back = await site.ok("POST", f"{CONFIG}/rollback", {"snapshot": "before", "reason": "it was better"})
    assert (back["version"], len(back["changed"])) == (4, 2)
    await site.refused(422, "POST", f"{CONFIG}/rollback", {"version": 77})
    await site.refused(422, "POST", f"{CONFIG}/rollback", {})
    names = [each["name"] for each in (await site.ok("GET", f"{CONFIG}/snapshots"))["snapshots"]]
    assert names == ["before"]


async def test_flags_and_rollouts_are_put_and_ended(site: Site) -> None:
    flag = {"name": "calm", "values": {"risk.cooldown_s": 60}, "symbols": ["tETHUSD"], "percent": 50}
    await site.ok("POST", f"{CONFIG}/flags", flag)
    assert (await site.ok("GET", f"{CONFIG}/flags"))["flags"][0]["percent"] == 50
    await site.ok("DELETE", f"{CONFIG}/flags/calm")
    await site.refused(404, "DELETE", f"{CONFIG}/flags/calm")
    plan = {"name": "half", "changes": {"risk.position_fraction": "0.1"}, "symbols": ["tBTCUSD"]}
    await site.refused(409, "POST", f"{CONFIG}/rollout/promote", {})
    await site.ok("POST", f"{CONFIG}/rollout", plan)
    assert (await site.ok("GET", f"{CONFIG}/rollout"))["rollout"]["plan"]["name"] == "half"
    await site.refused(422, "POST", f"{CONFIG}/rollout", plan)
    assert (await site.ok("POST", f"{CONFIG}/rollout/promote", {}))["changed"] == ["risk.position_fraction"]
    bad = {"name": "bad", "changes": {"web.port": 1}, "metric": "luck"}
    assert "metric" in await site.refused(422, "POST", f"{CONFIG}/rollout", bad)


async def test_validate_tells_every_fault_and_what_would_change(site: Site) -> None:
    told = await site.ok("POST", f"{CONFIG}/validate", {"changes": {"orders.quarantine_s": 2, "risk.max_drawdown": 1}})
    assert [fault["path"] for fault in told["faults"]] == ["orders.quarantine_s"]
    told = await site.ok("POST", "/config/validate", {"config": {"risk": {"max_drawdown": "0.1"}}})
    assert told["valid"]
    assert told["changes"] == [{"op": "replace", "path": "/risk/max_drawdown", "value": "0.1"}]
    told = await site.ok("POST", "/config/validate", {"config": {"rsk": {}, "risk": {"max_drawdown": None}}})
    assert [fault["path"] for fault in told["faults"]] == ["rsk", "risk.max_drawdown"]
    await site.refused(422, "POST", "/config/validate", {})


async def test_the_older_paths_of_configuration(site: Site) -> None:
    told = await site.ok("POST", "/config/diff", {"old": {"a": 1, "b": 2}, "new": {"a": 1, "c": 3}})
    assert {op["op"] for op in told["changes"]} == {"remove", "add"}
    await site.ok("POST", "/config/audit", {"text": "rolled the key", "detail": {"ticket": "42"}})
    newest = (await site.ok("GET", f"{CONFIG}/audit?limit=1"))["entries"][0]
    assert (newest["actor"], newest["text"], newest["outcome"]) == ("tester", "rolled the key", "noted")
    await site.refused(422, "POST", "/config/audit", {"text": "x", "detail": {"bitfinex_api_secret": "abc"}})
    assert (await site.ok("GET", f"{CONFIG}/verify"))["whole"]
    await site.ok("POST", "/api/v2/runtime/config", {"values": {"WS_TICKER_STALE_SECS": 5, "CANDLE_STALE_SECS": 120}})
    told = await site.ok("GET", "/api/v2/runtime/config")
    assert told["values"] == {"market.ticker_stale_s": 5, "market.candle_stale_s": 120}
    told = await site.ok("GET", "/api/v2/mode/ws-connect-on-start")
    assert (told["ws_connect_on_start"], told["pending"]) == (True, False)
    await site.ok("POST", "/api/v2/mode/ws-connect-on-start", {"ws_connect_on_start": False})
    told = await site.ok("GET", "/api/v2/mode/ws-connect-on-start")
    assert (told["ws_connect_on_start"], told["pending"]) == (False, True)
    assert (await site.ok("GET", f"{CONFIG}/schema"))["schema"]["additionalProperties"] is False


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"value": NaN}', 400),
        (b'{"value": 1', 400),
        (b'{"value": "\xff"}', 400),
        (b"[" * 5000 + b"]" * 5000, 422),
        (b'{"value": ' + b"[" * 5000 + b"]" * 5000 + b"}", 422),
        (b'{"value": ' + b'{"a":' * 3000 + b"1" + b"}" * 3000 + b"}", 422),
        (b'{"value": "' + b"x" * 70_000 + b'"}', 413),
        (b'{"value": "' + b"x" * 60_000 + b'"}', 422),
        (b'{"value": 1e999}', 422),
        (b'{"value": 1, "valeu": 2}', 422),
        (b'{"value": true}', 422),
        (b"{}", 422),
    ],
)
async def test_bad_input_is_told_and_the_old_version_stays(site: Site, body: bytes, status: int) -> None:
    answer = await site.http.post(
        f"{CONFIG}/risk.max_drawdown", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in {status, 400, 413} - ({400} if status == 413 else set()), answer.text
    assert len(answer.text) < 2000
    assert (await site.ok("GET", f"{CONFIG}/stats"))["version"] == 1


async def test_many_writers_at_once_make_a_row_of_versions_and_lose_none(site: Site) -> None:
    async def write(number: int) -> None:
        await site.ok("POST", f"{CONFIG}/risk.max_open_positions", {"value": number, "reason": f"writer {number}"})

    async with trio.open_nursery() as nursery:
        for number in range(20, 27):
            nursery.start_soon(write, number)
    told = (await site.ok("GET", f"{CONFIG}/history"))["versions"]
    assert [each["version"] for each in told] == list(range(8, 0, -1))
    assert {each["reason"] for each in told[:-1]} == {f"writer {number}" for number in range(20, 27)}
    assert (await site.ok("GET", f"{CONFIG}/verify"))["whole"]
