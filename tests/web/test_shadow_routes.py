"""A strategy on paper over HTTP, with a real config actor behind it: tried, begun, refused in words, ended."""

from typing import Any

import pytest

from tests.web.test_config_routes import CONFIG, Site
from tests.web.test_config_routes import site as site

ONE = "/api/v2/strategies/btc-ema/shadow"
ROLLOUT = f"{CONFIG}/rollout"


async def plan_of(site: Site) -> dict[str, Any]:
    told = await site.ok("GET", ROLLOUT)
    plan: dict[str, Any] = told["rollout"]["plan"]
    return plan


async def test_other_numbers_run_on_paper_and_the_live_ones_stay(site: Site) -> None:
    live = site.house.settings.value.strategies
    trying = await site.ok("POST", ONE, {"parameters": {"fast": 7}, "preview": True})
    assert (trying["accepted"], trying["changes"]) == (False, [{"path": "fast", "old": 12.0, "new": 7.0}])
    assert (await site.ok("GET", ROLLOUT))["rollout"] is None, "nothing has happened"
    body = {"parameters": {"fast": 7}, "trades": 20, "cash": "5000", "against_live": True, "reason": "quicker"}
    done = await site.ok("POST", ONE, body)
    assert (done["accepted"], done["version"], done["changes"]) == (True, 2, trying["changes"])
    assert done["message"] == "rollout shadow-btc-ema has begun: btc-ema runs on paper"
    assert site.house.settings.value.strategies == live
    plan = await plan_of(site)
    assert (plan["name"], plan["shadow"], plan["strategies"]) == ("shadow-btc-ema", True, ["btc-ema"])
    assert plan["paper"] == {"trades": 20, "automatic": False, "cash": "5000"}
    assert (plan["metric"], plan["against_control"], plan["duration_s"]) == ("loss", True, 604_800.0)
    assert [each["parameters"] for each in plan["changes"]["strategies"]] == [{"fast": 7.0}, {}]
    [newest] = (await site.ok("GET", f"{CONFIG}/history?limit=1"))["versions"]
    assert (newest["action"], newest["author"], newest["reason"]) == ("rollout", "tester", "quicker")
    blocked = await site.ok("GET", "/api/v2/strategies/btc-ema")
    assert "left alone while rollout shadow-btc-ema" in blocked["blocked"]
    await site.ok("POST", f"{ROLLOUT}/promote", {"reason": "proven"})
    assert site.house.settings.value.strategies[0].parameters == {"fast": 7.0}
    await site.ok("POST", f"{CONFIG}/rollback", {"version": 2})
    assert site.house.settings.value.strategies == live


async def test_another_kind_begins_with_its_own_defaults(site: Site) -> None:
    await site.ok("POST", ONE, {"kind": "donchian_breakout", "parameters": {"entry": 20}, "name": "channel"})
    plan = await plan_of(site)
    first = plan["changes"]["strategies"][0]
    assert (plan["name"], first["name"], first["kind"], first["parameters"]) == (
        "channel",
        "btc-ema",
        "donchian_breakout",
        {"entry": 20.0},
    )
    await site.ok("POST", f"{ROLLOUT}/revert", {"reason": "no"})
    assert (await site.ok("GET", ROLLOUT))["rollout"] is None


async def test_a_strategy_that_is_new_is_added(site: Site) -> None:
    new = {"kind": "ema_cross", "symbol": "tETHUSD", "timeframe": "1m"}
    await site.ok("POST", "/api/v2/strategies/eth-new/shadow", new)
    plan = await plan_of(site)
    assert (plan["name"], plan["strategies"]) == ("shadow-eth-new", ["eth-new"])
    assert [each["name"] for each in plan["changes"]["strategies"]] == ["btc-ema", "eth-ema", "eth-new"]


@pytest.mark.parametrize(
    ("name", "body", "status", "words"),
    [
        ("btc-ema", {}, 422, "parameters must differ from the live ones, or kind be given, did not"),
        ("btc-ema", {"parameters": {"fast": 900}}, 422, "fast must be a whole number from 2 to 500, was 900"),
        ("btc-ema", {"parameters": {"fsat": 9}}, 422, "did you mean fast?"),
        ("btc-ema", {"parameters": {"fast": 9}, "metric": "error_rate"}, 422, "losing_trades, loss, refusal_rate"),
        ("btc-ema", {"parameters": {"fast": 9}, "cash": "-1"}, 422, "rollout.paper.cash must be above 0"),
        ("btc-ema", {"parameters": {"fast": 9}, "duration_s": 0}, 422, "1 to 7.776e+06 seconds"),
        ("btc-ema", {"parameters": {"fast": 9}, "trades": -1}, 422, "trades must be"),
        ("btc-ema", {"parameters": {"fast": 9}, "trade": 1}, 422, "trade"),
        (
            "btc-ema",
            {"kind": "ema_crss"},
            422,
            "strategies[0].kind must be a known strategy (donchian_breakout, ema_cross",
        ),
        ("btc-emma", {"parameters": {"fast": 9}}, 404, "did you mean btc-ema?"),
        ("fresh", {"kind": "ema_cross", "symbol": "tETHUSD"}, 404, "no strategy in the settings is called fresh"),
        ("fresh", {"kind": "ema_cross", "symbol": "tXYZUSD", "timeframe": "5m"}, 422, "one of market.symbols"),
        ("btc-ema", {"parameters": {"fast": 9}, "expected_version": 7}, 412, "version"),
    ],
)
async def test_bad_input_is_refused_in_words(
    site: Site, name: str, body: dict[str, Any], status: int, words: str
) -> None:
    assert words in await site.refused(status, "POST", f"/api/v2/strategies/{name}/shadow", body)
    assert (await site.ok("GET", ROLLOUT))["rollout"] is None


async def test_one_at_a_time(site: Site) -> None:
    await site.ok("POST", ONE, {"parameters": {"fast": 7}})
    words = await site.refused(422, "POST", ONE, {"parameters": {"fast": 8}})
    assert "one at a time: shadow-btc-ema is under way" in words


async def test_a_whole_list_may_be_tried_as_any_rollout(site: Site) -> None:
    told = [
        {"name": "btc-ema", "symbol": "tBTCUSD", "parameters": {"fast": 5}},
        {"name": "eth-ema", "symbol": "tETHUSD"},
    ]
    body = {
        "name": "list",
        "changes": {"strategies": told, "risk.position_fraction": "0.1"},
        "shadow": True,
        "metric": "drawdown",
        "paper": {"trades": 3, "automatic": True},
    }
    await site.ok("POST", ROLLOUT, body)
    plan = await plan_of(site)
    assert plan["paper"] == {"trades": 3, "automatic": True, "cash": None}
    assert site.house.settings.value.overlays == ()
    words = await site.refused(422, "POST", ROLLOUT, {**body, "paper": {"tardes": 3}})
    assert "tardes" in words
