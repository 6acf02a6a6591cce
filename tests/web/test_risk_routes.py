"""The risk routes: limits that anybody may tighten, windows, locks, breakers, dry questions, and their old names."""

import json
import os
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
import trio

from genesis.domain.config_keys import KEYS
from genesis.domain.decision_search import DecisionSearch, DecisionsFound, search
from genesis.domain.settings_history import Step, after, at_start
from protocols.config import ConfigCommand, SetSettings, SettingFault, SettingsApplied, SettingsRefused, SettingsReply
from protocols.orders import Flatten, OrderState, OrderView, Purpose
from protocols.risk import (
    AddLock,
    BreakerState,
    BreakerView,
    EvaluateOrder,
    Lock,
    LockSource,
    RemoveLock,
    ResetBreaker,
    ResetPeaks,
    RiskStatus,
    SetPaused,
    Verdict,
)
from protocols.settings import Settings
from protocols.trading import FlattenView
from protocols.units import Symbol
from tests.web.fakes import BTC, ETH, NOW_MS, Told, Web, a_risk, a_verdict, a_web, an_order, some_readers
from tests.web.serving import a_server
from web.controls import Controls
from web.legacy import SUCCESSORS
from web.models import EngineStatus, ReplayProgress
from web.routes import ROUTES
from web.tokens import Scope

UNIFIED = "/api/v2/risk/unified"
SCRIPT = Path(__file__).with_name("seed_risk.sh")


@attrs.define
class Desk(Told):
    """Controls with a real book of settings, and a risk that answers dry questions."""

    step: Step = attrs.field(factory=lambda: at_start([], [], at_ms=0).step)

    async def change(self, wish: ConfigCommand) -> SettingsReply | None:
        self._take(wish)
        assert isinstance(wish, SetSettings)
        outcome = after([], self.step, wish, at_ms=1)
        if not isinstance(outcome, Step):
            faults = tuple(SettingFault(**attrs.asdict(fault)) for fault in outcome)
            return SettingsRefused(version=self.step.version, faults=faults)
        self.step = outcome
        return SettingsApplied(version=outcome.version, changed=outcome.changed, pending=())

    async def evaluate(self, question: EvaluateOrder) -> Verdict | None:
        self._take(question)
        return a_verdict(approved=False)

    async def search(self, asked: DecisionSearch) -> DecisionsFound:
        return search((a_verdict(2, approved=False), a_verdict(1)), asked)

    def settings(self) -> Settings:
        return self.step.settings

    def controls(self) -> Controls:
        return attrs.evolve(super().controls(), settings=self.change, evaluate=self.evaluate, search=self.search)


def a_busy_risk() -> RiskStatus:
    return msgspec.structs.replace(
        a_risk(),
        locks=(
            Lock(
                lock_id="lock-1",
                symbol=BTC,
                strategy=None,
                source=LockSource.STOP_GUARD,
                reason="4 losing trades",
                actor="risk",
                created_ms=NOW_MS,
                until_ms=NOW_MS + 1000,
            ),
        ),
        breakers=(
            BreakerView(scope="", state=BreakerState.OPEN, cause="5 orders refused", since_ms=1, until_ms=2, trips=1),
        ),
    )


def a_desk() -> tuple[Web, Desk]:
    desk = Desk()
    return a_web(told=desk, readers=some_readers(settings=desk.settings, risk=a_busy_risk)), desk


async def test_limits_are_told_with_their_meaning_and_their_safer_side() -> None:
    web, _ = a_desk()
    async with web.client(Scope.READ) as client:
        told = (await client.get(f"{UNIFIED}/limits")).json()
    rows = {row["name"]: row for row in told["limits"]}
    assert set(rows) == {path.removeprefix("risk.") for path in KEYS if path.startswith("risk.")}
    assert rows["max_daily_loss"] == {
        "name": "max_daily_loss",
        "value": "0.05",
        "default": "0.05",
        "unit": "fraction of the day's first equity, 0.05 is 5 %",
        "range": "0 to 1",
        "meaning": "Loss in a day that stops new risk",
        "stricter": "lower",
    }


async def test_a_trader_tightens_and_only_an_admin_loosens() -> None:
    web, desk = a_desk()
    async with web.client(Scope.TRADE) as client:
        lower = await client.post(
            f"{UNIFIED}/limits", json={"changes": {"max_daily_loss": "0.02", "cooldown_s": 60}, "reason": "news"}
        )
        assert lower.status_code == 200, lower.text
        assert lower.json()["changed"] == ["risk.cooldown_s", "risk.max_daily_loss"]
        higher = await client.post(f"{UNIFIED}/limits", json={"changes": {"max_daily_loss": "0.03"}})
        assert (higher.status_code, higher.json()["error"]["code"]) == (403, "scope_too_low")
        assert "risk.max_daily_loss" in higher.json()["error"]["message"]
        both = await client.post(f"{UNIFIED}/limits", json={"changes": {"max_drawdown": "0.1", "breaker_errors": 0}})
        assert both.status_code == 403
    async with web.client(Scope.ADMIN) as client:
        assert (await client.post(f"{UNIFIED}/limits", json={"changes": {"max_daily_loss": "0.03"}})).status_code == 200
    assert str(desk.settings().risk.max_daily_loss) == "0.03"
    wish = desk.messages[0]
    assert isinstance(wish, SetSettings)
    assert (wish.actor, wish.reason) == ("tester", "news")


@pytest.mark.parametrize(
    ("changes", "path", "must_be", "was"),
    [
        ({"max_daily_loss": 5}, "risk.max_daily_loss", "0 to 1", "5"),
        *(
            ({name: 5}, f"risk.{name}", "0 to 1", "5")
            for name in ("position_fraction", "max_drawdown", "max_weekly_loss", "max_strategy_drawdown", "atr_budget")
        ),
        ({"target_fraction": 5}, "risk.target_fraction", "0 to 1", "5"),
        ({"stop_fraction": 5}, "risk.stop_fraction", "0 to 0.99", "5"),
        ({"max_order_notional": "-1"}, "risk.max_order_notional", "at least 0", '"-1"'),
        ({"windows_timezone": "Mars/Base"}, "risk.windows_timezone", "a time zone", '"Mars/Base"'),
        ({"windows": ["mon 08:00-17:00", "mon 16:00-18:00"]}, "risk.windows", "does not overlap", "mon 08:00"),
        ({"windows": ["mon 17:00-08:00"]}, "risk.windows", "ends after it begins", "mon 17:00"),
        ({"max_trades_per_day": "5"}, "risk.max_trades_per_day", "a whole number", '"5"'),
    ],
)
async def test_a_limit_that_means_nothing_is_refused_by_path(
    changes: dict[str, Any], path: str, must_be: str, was: str
) -> None:
    web, desk = a_desk()
    before = desk.settings()
    async with web.client(Scope.ADMIN) as client:
        answer = await client.post(f"{UNIFIED}/limits", json={"changes": changes})
    assert answer.status_code == 422
    fault = answer.json()["error"]["detail"][path]
    assert must_be in fault["must_be"]
    assert was in fault["was"]
    assert desk.settings() == before


async def test_an_unknown_limit_and_an_old_version_are_refused() -> None:
    web, _ = a_desk()
    async with web.client() as client:
        assert (await client.post(f"{UNIFIED}/limits", json={"changes": {"max_luck": 1}})).status_code == 422
        late = await client.post(
            f"{UNIFIED}/limits", json={"changes": {"max_daily_loss": "0.01"}, "expected_version": 9}
        )
        assert late.status_code == 412
        assert "version" in late.json()["error"]["detail"]


async def test_windows_are_posted_and_told_by_day() -> None:
    web, desk = a_desk()
    body = {"timezone": "Europe/Stockholm", "windows": {"fri": [["22:00", "26:00"]], "sat": []}, "paused": True}
    async with web.client() as client:
        assert (await client.post(f"{UNIFIED}/windows", json=body)).status_code == 200
        told = (await client.get(f"{UNIFIED}/windows")).json()
        for bad, part in (
            ({"windows": {"mon": [["17:00", "08:00"]]}}, "ends after it begins"),
            ({"windows": {"mon": []}}, "pause trading instead"),
            ({"windows": {"monday": [["08:00", "17:00"]]}}, "must be one of mon"),
            ({"windows": {"mon": [["08:00", "17:00"]]}, "timezone": "Mars/Base"}, "a time zone"),
        ):
            answer = await client.post(f"{UNIFIED}/windows", json=bad)
            assert answer.status_code == 422
            assert part in answer.json()["error"]["message"]
    assert told["timezone"] == "Europe/Stockholm"
    assert told["windows"]["fri"] == [["22:00", "26:00"]]
    assert told["now"]["open"] is False
    assert told["now"]["next_opening_ms"] > NOW_MS
    assert any(isinstance(message, SetPaused) and message.paused for message in desk.messages)
    async with web.client(Scope.TRADE) as client:
        narrower = {"windows": {"fri": [["23:00", "24:00"]]}}
        assert (await client.post(f"{UNIFIED}/windows", json=narrower)).status_code == 200
        assert (await client.post(f"{UNIFIED}/windows", json={"windows": {}})).status_code == 403


@pytest.mark.parametrize(
    ("mode", "unseen"), [("sim", ["data_age", "spread", "clock_skew"]), ("paper", []), ("live", [])]
)
async def test_what_a_replay_does_not_measure_is_told(mode: str, unseen: list[str]) -> None:
    told = EngineStatus(mode=mode, version="test")
    web = a_web(readers=some_readers(risk=a_busy_risk, status=lambda: told))
    async with web.client(Scope.READ) as client:
        assert (await client.get(f"{UNIFIED}/breaker")).json()["not_measured"] == unseen


async def test_locks_and_breakers_are_listed_made_and_removed() -> None:
    web, desk = a_desk()
    async with web.client(Scope.TRADE) as client:
        assert (await client.get(f"{UNIFIED}/locks")).json()["locks"][0]["reason"] == "4 losing trades"
        made = await client.post(f"{UNIFIED}/locks", json={"symbol": "tBTCUSD", "duration_s": 60, "reason": "news"})
        assert made.status_code == 202
        assert (await client.delete(f"{UNIFIED}/locks/lock-1")).status_code == 202
        assert (await client.delete(f"{UNIFIED}/locks/lock-9")).status_code == 404
        assert (await client.post(f"{UNIFIED}/locks", json={"duration_s": -1, "reason": "x"})).status_code == 422
        told = (await client.get(f"{UNIFIED}/breaker")).json()
        assert (told["open"], told["breakers"][0]["cause"]) == (True, "5 orders refused")
        assert (await client.post(f"{UNIFIED}/breaker/reset", json={"scope": "all"})).status_code == 202
        assert (await client.post(f"{UNIFIED}/breaker/reset", json={"scope": "tETHUSD"})).status_code == 404
        assert (await client.post(f"{UNIFIED}/peaks/reset", json={})).status_code == 403
    async with web.client(Scope.ADMIN) as client:
        assert (await client.post(f"{UNIFIED}/peaks/reset", json={"strategy": "btc-ema"})).status_code == 202
    add, remove, reset, peaks = desk.messages
    assert isinstance(add, AddLock)
    assert (add.symbol, add.duration_s, add.reason, add.actor) == ("tBTCUSD", 60, "news", "tester")
    assert isinstance(remove, RemoveLock)
    assert isinstance(reset, ResetBreaker)
    assert reset.scope == ""
    assert isinstance(peaks, ResetPeaks)


async def test_a_dry_question_is_answered_in_words_and_places_nothing() -> None:
    web, desk = a_desk()
    async with web.client(Scope.TRADE) as client:
        answer = await client.post(f"{UNIFIED}/evaluate", json={"symbol": "tBTCUSD", "amount": "1"})
    assert answer.status_code == 200
    assert answer.json()["approved"] is False
    assert answer.json()["reasons"]
    assert [type(message) for message in desk.messages] == [EvaluateOrder]


async def test_the_audit_is_searched() -> None:
    web, _ = a_desk()
    async with web.client(Scope.READ) as client:
        found = (await client.get(f"{UNIFIED}/decisions", params={"code": "max_order_notional"})).json()
        assert (found["total"], found["searched"]) == (1, 2)
        assert "6000" in found["decisions"][0]["reasons"][0]
        assert (await client.get(f"{UNIFIED}/decisions", params={"strategy": "nobody"})).json()["total"] == 0
        assert (await client.get(f"{UNIFIED}/decisions", params={"to_ms": 5})).json()["total"] == 0
        assert (await client.get(f"{UNIFIED}/decisions", params={"code": "x y"})).status_code == 422
        codes = (await client.get(f"{UNIFIED}/codes")).json()["codes"]
    assert {"halted", "breaker_open"} <= {row["code"] for row in codes}


async def test_flatten_says_whether_it_came_true() -> None:
    web, _ = a_desk()
    async with web.client() as client:
        left = (await client.post(f"{UNIFIED}/flatten", json={"confirm": "flatten"})).json()
        assert (left["verified"], left["open_orders"], left["held"]) == (False, 2, {"tBTCUSD": "0.5"})
    flat, body = some_flattening(ETH)
    async with flat.client() as client:
        answer = await client.post(f"{UNIFIED}/flatten", json={**body, "wait_s": 5})
        assert answer.json()["verified"] is True


async def test_a_flatten_that_nobody_has_heard_is_not_done() -> None:
    """The order actor stands still, and what waits in front of the wish may be an entry that nobody sees yet."""
    web = a_web(readers=some_readers(orders=lambda: (), account=lambda: None, flattens=lambda: ()))
    assert await flattened(web, {"confirm": "flatten"}) == (False, 0, {}, {})


def some_flattening(symbol: Symbol | None, *orders: OrderView, **wish: object) -> tuple[Web, dict[str, object]]:
    """A web whose engine is by `wish` with a flatten that came behind order 3, and the words that ask for it."""
    fields: dict[str, object] = {"symbol": symbol, "left": (), "given_up": (), "last_cid": 3, **wish}
    told = Desk()

    def flattens() -> tuple[FlattenView, ...]:
        heard = [each for each in told.messages if isinstance(each, Flatten)]
        return tuple(FlattenView(flatten_id=each.correlation_id, **fields) for each in heard)  # type: ignore[arg-type]

    return a_web(told=told, readers=some_readers(orders=lambda: orders, flattens=flattens)), {
        "confirm": "flatten",
        **({} if symbol is None else {"symbol": symbol}),
    }


async def flattened(web: Web, body: dict[str, object]) -> tuple[object, ...]:
    async with web.client() as client:
        answer = (await client.post(f"{UNIFIED}/flatten", json=body)).json()
    return answer["verified"], answer["open_orders"], answer["held"], answer["opened_since"]


async def test_what_strategies_open_behind_a_flatten_is_not_left_of_it() -> None:
    """All was closed, and half a bitcoin bought since: it need not be flat at the moment of a look."""
    entry = msgspec.structs.replace(an_order(5, state=OrderState.FILLED), filled_quantity=Decimal("0.5"))
    stop = msgspec.structs.replace(an_order(7), purpose=Purpose.STOP)
    assert (await flattened(*some_flattening(None, entry, stop))) == (True, 0, {}, {"tBTCUSD": "0.5"})
    on_its_way = an_order(5, state=OrderState.SENT)
    assert (await flattened(*some_flattening(None, on_its_way))) == (True, 0, {}, {"tBTCUSD": "0.5"})
    # Of another symbol, refused, or from before: then what is held is not its.
    for order in (
        msgspec.structs.replace(entry, cid=6, symbol=ETH),
        an_order(5, state=OrderState.REJECTED),
        msgspec.structs.replace(entry, cid=3),
        msgspec.structs.replace(entry, purpose=Purpose.FLATTEN),
    ):
        assert (await flattened(*some_flattening(BTC, order)))[:3] == (False, 0, {"tBTCUSD": "0.5"})


@pytest.mark.parametrize("wish", [{"left": (BTC,)}, {"given_up": (BTC,)}])
async def test_as_long_as_a_flatten_is_not_done_all_that_there_is_is_left_of_it(wish: dict[str, object]) -> None:
    entry = msgspec.structs.replace(an_order(5, state=OrderState.FILLED), filled_quantity=Decimal("0.5"))
    assert (await flattened(*some_flattening(None, entry, **wish))) == (False, 0, {"tBTCUSD": "0.5"}, {})


async def test_a_flatten_that_waits_for_an_order_on_its_way_is_not_done() -> None:
    left = {"left": (ETH,)}
    assert (await flattened(*some_flattening(ETH, an_order(2, state=OrderState.SENT), **left)))[:2] == (
        False,
        1,
    )
    assert (await flattened(*some_flattening(ETH, **left)))[0] is False


async def test_a_wish_to_flatten_is_asked_after_by_the_id_of_its_answer() -> None:
    entry = msgspec.structs.replace(an_order(5, state=OrderState.FILLED), filled_quantity=Decimal("0.5"))
    web, body = some_flattening(None, entry)
    async with web.client() as client:
        name = (await client.post(f"{UNIFIED}/flatten", json=body)).json()["correlation_id"]
        told = (await client.get(f"{UNIFIED}/flatten/{name}?wait_s=5")).json()
        assert (told["correlation_id"], told["verified"], told["under_way"]) == (name, True, False)
        assert (told["held"], told["opened_since"], told["given_up"]) == ({}, {"tBTCUSD": "0.5"}, [])
        unknown = await client.get(f"{UNIFIED}/flatten/api:{'x' * 300}")
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "unknown_flatten")
        assert len(unknown.json()["error"]["message"]) < 250
        for wait in ("-1", "10.5", "nan", "soon"):
            assert (await client.get(f"{UNIFIED}/flatten/{name}?wait_s={wait}")).status_code == 422, wait
    async with web.client(None) as client:
        assert (await client.get(f"{UNIFIED}/flatten/{name}")).status_code == 401


async def test_the_wishes_to_flatten_are_listed_newest_first_and_what_nobody_closes_any_more_behind_a_recording() -> (
    None
):
    over = ReplayProgress(recording="a", start_ms=0, end_ms=1, at_ms=1, fraction=1.0, done=True)
    wishes = tuple(
        FlattenView(flatten_id=name, symbol=symbol, left=left, given_up=(), last_cid=3)
        for name, symbol, left in (("api:1", None, ()), ("api:2", BTC, (BTC,)))
    )
    status = EngineStatus(mode="sim", version="1", replay=over)
    web = a_web(readers=some_readers(flattens=lambda: wishes, orders=lambda: (), status=lambda: status))
    async with web.client() as client:
        told = (await client.get(f"{UNIFIED}/flatten")).json()["flattens"]
        one = (await client.get(f"{UNIFIED}/flatten/api:2")).json()
    assert [(each["correlation_id"], each["symbol"], each["under_way"]) for each in told] == [
        ("api:2", "tBTCUSD", True),
        ("api:1", None, False),
    ]
    assert [each["recording_over"] for each in told] == [True, True]
    assert {**one, "waited_s": 0.0} == told[0]
    async with web.client(None) as client:
        assert (await client.get(f"{UNIFIED}/flatten")).status_code == 401


async def test_what_a_flatten_gave_up_is_told_and_waited_for_no_longer() -> None:
    """The fourth sale would fail as the three before it: nobody closes it, so "it goes on" would be a lie."""
    web, body = some_flattening(None, given_up=(BTC,))
    async with web.client() as client:
        begun = (await client.post(f"{UNIFIED}/flatten", json=body)).json()
        told = (await client.get(f"{UNIFIED}/flatten/{begun['correlation_id']}?wait_s=10")).json()
    for answer in (begun, told):
        assert (answer["verified"], answer["under_way"], answer["given_up"]) == (False, False, ["tBTCUSD"])
        assert answer["held"] == {"tBTCUSD": "0.5"}
    assert told["waited_s"] < 1
    working, body = some_flattening(None, left=(ETH,), given_up=(BTC,))
    async with working.client() as client:
        assert (await client.post(f"{UNIFIED}/flatten", json=body)).json()["under_way"] is True


@pytest.mark.parametrize(("method", "old", "new"), SUCCESSORS)
async def test_old_paths_answer_as_the_new_ones_and_say_so(method: str, old: str, new: str) -> None:
    routes = {(route.method, route.path): route for route in ROUTES}
    if (method, "/api/v2" + new) not in routes:
        assert (method, "/api/v2" + old) not in routes, "an old name must not outlive its successor"
        return
    web, _ = a_desk()
    bodies = {
        "/risk/windows": {"windows": {"mon": [["08:00", "17:00"]]}},
        "/risk/max-trades": {"max_trades_per_day": 5},
        "/risk/max-trades-symbol": {"max_trades_per_symbol_per_day": 3},
    }
    async with web.client() as client:
        body = bodies.get(old, {}) if method == "POST" else None
        answers = [await client.request(method, "/api/v2" + path, json=body) for path in (new, old)]
        # This desk has no model to validate: then old and new say so alike.
        allowed = (404,) if new == "/validation/probability" else (200, 202)
        assert answers[0].status_code in allowed
        assert answers[0].status_code == answers[1].status_code
        assert set(answers[0].json()) == set(answers[1].json())
        headers = answers[1].headers
        assert headers["Deprecation"].startswith("@")
        assert headers["Sunset"].endswith("GMT")
        assert headers["Link"] == f'</api/v2{new}>; rel="successor-version"'
        assert "Deprecation" not in answers[0].headers
        metrics = (await client.get("/metrics")).text
        assert f'legacy_endpoints_total{{endpoint="/api/v2{old}"}} 1.0' in metrics


async def test_a_refusal_of_an_old_path_names_the_new_one_too() -> None:
    web, _ = a_desk()
    async with web.client(None) as client:
        answer = await client.get("/api/v2/risk/status")
    assert (answer.status_code, "Link" in answer.headers) == (401, True)


@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("bash") is None, reason="needs curl and bash")
async def test_the_examples_of_the_seed_work_as_written() -> None:
    desk = Desk()
    async with a_server(readers=some_readers(settings=desk.settings), told=desk) as served:
        environment = {**os.environ, "BASE": served.base, "TOKEN": served.token(Scope.ADMIN), "NO_PROXY": "127.0.0.1"}
        with trio.fail_after(60):
            done = await trio.run_process(["bash", str(SCRIPT)], capture_stdout=True, env=environment)
    answers = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert answers[0]["changed"] == ["risk.max_trades_per_day"]
    assert "risk.windows" in answers[1]["changed"]
    assert answers[2]["risk"]["state"] == "ACTIVE"
    assert answers[3]["changed"] == ["risk.max_trades_per_symbol"]
    assert (answers[4]["max_trades_per_day"], answers[4]["max_trades_per_symbol_per_day"]) == (5, 3)
    assert desk.settings().risk.windows_timezone == "Europe/Stockholm"
