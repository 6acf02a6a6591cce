"""A strategy's parameters over HTTP, with a real config actor behind it: looked at, tried, changed, refused, undone."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from protocols.account import StrategyBookView
from protocols.settings import Settings
from protocols.units import Symbol
from tests.web.fakes import a_lot, a_web, some_readers
from tests.web.test_config_routes import CONFIG, Site
from tests.web.test_config_routes import site as site
from web.tokens import Scope

ONE = "/api/v2/strategies/btc-ema"
BTC = Symbol("tBTCUSD")


async def parameters_of(site: Site, name: str = "btc-ema") -> dict[str, float]:
    told = await site.ok("GET", f"/api/v2/strategies/{name}")
    return {field["path"]: field["value"] for field in told["fields"]}


async def test_a_strategy_tells_what_may_be_chosen(site: Site) -> None:
    told = await site.ok("GET", ONE)
    assert (told["kind"], told["symbol"], told["timeframe"], told["layer"]) == ("ema_cross", BTC, "5m", "defaults")
    fast = told["fields"][0]
    assert (fast["path"], fast["of"], fast["given"], fast["whole"]) == ("fast", "ema_cross", False, True)
    assert fast["low"] <= fast["value"] == fast["default"] <= fast["high"]
    assert fast["meaning"]
    answer = await site.http.get(ONE)
    assert answer.headers["ETag"] == '"1"'
    assert "did you mean btc-ema?" in await site.refused(404, "GET", "/api/v2/strategies/btc-emma")
    assert "is called" in await site.refused(404, "PATCH", "/api/v2/strategies/nobody", {"parameters": {"fast": 3}})


async def test_a_change_is_a_version_with_who_and_why_and_is_rolled_back_like_any(site: Site) -> None:
    before = await parameters_of(site)
    trying = await site.ok("PATCH", ONE, {"parameters": {"fast": 7}, "preview": True})
    assert (trying["accepted"], trying["version"], trying["faults"]) == (False, 1, [])
    assert trying["changes"] == [{"path": "fast", "old": before["fast"], "new": 7.0}]
    assert trying["needs"] > 0
    assert (await site.ok("GET", f"{CONFIG}/stats"))["version"] == 1, "nothing has happened"
    done = await site.ok("PATCH", ONE, {"parameters": {"fast": 7}, "reason": "quicker", "expected_version": 1})
    assert (done["accepted"], done["version"], done["changes"]) == (True, 2, trying["changes"])
    assert f"btc-ema: fast {before['fast']:g} -> 7" in done["message"]
    assert await parameters_of(site) == {**before, "fast": 7.0}
    btc, eth = site.house.settings.value.strategies
    assert (btc.parameters, eth.parameters) == ({"fast": 7.0}, {}), "the other one stays as it was"
    [newest] = (await site.ok("GET", f"{CONFIG}/history?limit=1"))["versions"]
    assert (newest["author"], newest["reason"], newest["changed"]) == ("tester", "quicker", ["strategies"])
    line = (await site.ok("GET", f"{CONFIG}/audit?limit=1"))["entries"][0]
    assert (line["actor"], line["outcome"], line["version"]) == ("tester", "applied", 2)
    again = await site.ok("PATCH", ONE, {"parameters": {"fast": 7}})
    assert (again["accepted"], again["version"], again["changes"]) == (True, 2, [])
    assert (await site.ok("PATCH", ONE, {"parameters": {"fast": None}}))["version"] == 3
    assert await parameters_of(site) == before
    await site.ok("POST", f"{CONFIG}/rollback", {"version": 2})
    assert await parameters_of(site) == {**before, "fast": 7.0}
    assert (await site.ok("GET", f"{CONFIG}/verify"))["whole"]


@pytest.mark.parametrize(
    ("parameters", "field", "told"),
    [
        ({"fast": 0}, "fast", "must be a whole number from"),
        ({"fast": 3.5}, "fast", "was 3.5"),
        ({"fsat": 5}, "fsat", "did you mean fast?"),
        ({"fast": 60, "slow": 50}, "fast", "must be below ema_cross.slow (50), was 60"),
        ({"members[0].weight": 1}, "members[0].weight", "was unknown"),
        ({"fast": -1e308, "slow": 1e308}, "slow", "was 1e+308"),
    ],
)
async def test_what_cannot_be_is_told_by_field_and_changes_nothing(
    site: Site, parameters: dict[str, Any], field: str, told: str
) -> None:
    answer = await site.http.patch(ONE, json={"parameters": parameters})
    assert answer.status_code == 422, answer.text
    assert told in answer.json()["error"]["message"]
    assert field in answer.json()["error"]["detail"]
    trying = await site.ok("PATCH", ONE, {"parameters": parameters, "preview": True})
    assert field in [fault["path"] for fault in trying["faults"]]
    assert (await site.ok("GET", f"{CONFIG}/stats"))["version"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"parameters": None},
        {"parameters": []},
        {"parameters": {"fast": "7"}},
        {"parameters": {"fast": True}},
        {"parameters": {"fast": [7]}},
        {"parameters": {"fast; drop": 7}},
        {"parameters": {"": 7}},
        {"parameters": {"fast": 7}, "reason": ""},
        {"parameters": {"fast": 7}, "reason": "x" * 201},
        {"parameters": {"fast": 7}, "expected_version": 0},
        {"parameters": {"fast": 7}, "preview": "yes"},
        {"parameters": {"fast": 7}, "odd": 1},
        {"parameters": {f"p{number}": 1 for number in range(401)}},
    ],
)
async def test_a_body_of_another_shape_is_refused(site: Site, body: dict[str, Any]) -> None:
    await site.refused(422, "PATCH", ONE, body)
    assert (await site.ok("GET", f"{CONFIG}/stats"))["version"] == 1


async def test_who_has_not_seen_the_newest_version_changes_nothing(site: Site) -> None:
    await site.ok("POST", f"{CONFIG}/risk.max_drawdown", {"value": "0.1"})
    for headers, more in (({}, {"expected_version": 1}), ({"If-Match": '"1"'}, {})):
        text = await site.refused(412, "PATCH", ONE, {"parameters": {"fast": 7}, **more}, **headers)
        assert "another change came first: version must be 2, the version in force, was 1" in text
    # Not even one that would change nothing: its writer believes in another state of things.
    fast = (await parameters_of(site))["fast"]
    await site.refused(412, "PATCH", ONE, {"parameters": {"fast": fast}, "expected_version": 1})
    await site.ok("PATCH", ONE, {"parameters": {"fast": 7}}, **{"If-Match": '"2"'})


async def test_it_takes_an_admin_as_every_other_change_of_the_list(site: Site) -> None:
    for scope in (Scope.READ, Scope.TRADE):
        site.scope(scope)
        assert await parameters_of(site)
        await site.refused(403, "PATCH", ONE, {"parameters": {"fast": 7}})
        await site.refused(403, "PATCH", ONE, {"parameters": {"fast": 7}, "preview": True})


async def test_an_ensembles_members_are_chosen_one_by_one(site: Site) -> None:
    members = [{"kind": "ema_cross", "weight": 2}, {"kind": "rsi_reversion", "parameters": {"period": 9}}]
    both = {"name": "all", "kind": "ensemble", "symbol": BTC, "timeframe": "5m", "members": members}
    await site.ok("POST", f"{CONFIG}/strategies", {"value": [both]})
    wanted = {"enter": 0.4, "members[0].weight": 3, "members[1].parameters.period": None}
    done = await site.ok("PATCH", "/api/v2/strategies/all", {"parameters": wanted})
    assert [each["path"] for each in done["changes"]] == ["enter", "members[0].weight", "members[1].parameters.period"]
    [now] = site.house.settings.value.strategies
    assert (now.parameters, now.members[0].weight, now.members[1].parameters) == ({"enter": 0.4}, 3.0, {})


async def test_while_a_rollout_tries_the_list_it_is_left_alone(site: Site) -> None:
    rows = (await site.ok("GET", f"{CONFIG}/strategies"))["value"]
    rows[0]["parameters"] = {"fast": 8}
    await site.ok("POST", f"{CONFIG}/rollout", {"name": "quick", "changes": {"strategies": rows}, "metric": "loss"})
    told = await site.ok("GET", ONE)
    assert told["blocked"] == "strategies must be left alone while rollout quick tries them"
    text = await site.refused(422, "PATCH", ONE, {"parameters": {"fast": 7}})
    assert "left alone while rollout quick tries it" in text
    await site.ok("POST", f"{CONFIG}/rollout/revert", {"reason": "enough"})
    await site.ok("PATCH", ONE, {"parameters": {"fast": 7}})


async def test_a_strategy_is_ended_listed_and_enabled_again(site: Site) -> None:
    trying = await site.ok("PATCH", ONE, {"enabled": False, "preview": True})
    assert (trying["accepted"], trying["enabled"], trying["needs"]) == (False, False, 0)
    done = await site.ok("PATCH", ONE, {"enabled": False, "reason": "enough"})
    assert (done["accepted"], done["enabled"], done["version"], done["changes"]) == (True, False, 2, [])
    assert "btc-ema: not enabled any more" in done["message"]
    btc, eth = site.house.settings.value.strategies
    assert (btc.enabled, eth.enabled) == (False, True)
    assert (await site.ok("GET", ONE))["enabled"] is False
    again = await site.ok("PATCH", ONE, {"enabled": False})
    assert (again["version"], again["message"]) == (2, "btc-ema is so already")
    # Its numbers may be chosen while it is off: they need no candles before it is on.
    chosen = await site.ok("PATCH", ONE, {"parameters": {"fast": 7}})
    assert (chosen["version"], chosen["enabled"], chosen["needs"]) == (3, False, 0)
    both = await site.ok("PATCH", ONE, {"parameters": {"fast": 8}, "enabled": True})
    assert (both["version"], both["enabled"]) == (4, True)
    assert both["needs"] > 0
    assert "fast 7 -> 8, enabled" in both["message"]
    assert site.house.settings.value.strategies[0].enabled
    assert "enabled must be true or false, was 1" in await site.refused(422, "PATCH", ONE, {"enabled": 1})


async def test_the_list_shows_what_is_not_enabled_too() -> None:
    settings = Settings()
    btc, eth = settings.strategies
    ended = msgspec.structs.replace(eth, enabled=False, parameters={"fast": 9.0})
    settings = msgspec.structs.replace(settings, strategies=(btc, ended))
    async with a_web(readers=some_readers(settings=lambda: settings)).client() as http:
        told = (await http.get("/api/v2/strategies")).json()
    assert told["off"] == [
        {"strategy": "eth-ema", "kind": "ema_cross", "symbol": "tETHUSD", "timeframe": "5m", "parameters": {"fast": 9}}
    ]


async def test_what_it_holds_is_told_with_its_levels(site: Site) -> None:
    book = StrategyBookView(
        strategy="btc-ema",
        symbol=BTC,
        quantity=Decimal("0.5"),
        average_price=Decimal(6900),
        realized_pnl=Decimal(0),
        unrealized_pnl=Decimal(0),
        fees=Decimal(0),
        fills=1,
        exits=0,
        won=0,
    )
    around = a_lot(BTC, "btc-ema")
    readers = some_readers(config=lambda: site.house.view.value, books=lambda: (book,), brackets=lambda: (around,))
    async with a_web(readers=readers).client() as http:
        told = (await http.get(ONE)).json()
        other = (await http.get("/api/v2/strategies/eth-ema")).json()
    assert told["holds"] == [{"symbol": BTC, "quantity": "0.5", "stop_price": "90", "target_price": None}]
    assert other["holds"] == []
