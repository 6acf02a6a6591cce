"""Regime, watchlist and signal routes: what they answer, and what they refuse."""

import attrs
import msgspec

from genesis.domain.signal_search import SignalSearch, SignalsFound
from protocols.market import BookTop, TradePrint
from protocols.regime import RegimeName, RegimeSpell, RegimeView
from protocols.settings import Settings
from protocols.signals import Recommendation, StrategyView
from protocols.units import Symbol
from tests.web.fakes import BTC, ETH, NOW_MS, Told, Web, a_score, a_web, some_readers
from web.controls import Controls
from web.signal_ports import SignalPorts
from web.tokens import Scope


def a_regime(symbol: Symbol = BTC, timeframe: str = "1m", regime: RegimeName = RegimeName.RANGE) -> RegimeView:
    return RegimeView(
        symbol=symbol,
        timeframe=timeframe,
        regime=regime,
        since_ms=NOW_MS - 60_000,
        bars=2,
        candle_open_ms=NOW_MS,
        drift=0.25,
        adx=17.0,
        volatility=1.1,
        fall=0.2,
        reason="went nowhere",
    )


def a_spell(number: int, regime: RegimeName, *, symbol: Symbol = BTC, bars: int = 10) -> RegimeSpell:
    since_ms = NOW_MS + number * 600_000
    return RegimeSpell(
        symbol=symbol,
        timeframe="1m",
        regime=regime,
        since_ms=since_ms,
        until_ms=since_ms + (bars - 1) * 60_000,
        bars=bars,
        move=0.02,
        running=number == 2,
    )


SPELLS = (a_spell(0, RegimeName.RANGE), a_spell(1, RegimeName.CRASH), a_spell(2, RegimeName.TREND_UP))


@attrs.define
class Desk(Told):
    asked: list[SignalSearch] = attrs.field(factory=list)

    async def search(self, asked: SignalSearch) -> SignalsFound:
        self.asked.append(asked)
        return SignalsFound(total=1, searched=5, complete=True, signals=(a_score(2),))

    def controls(self) -> Controls:
        return attrs.evolve(super().controls(), signals=SignalPorts(search=self.search))


def a_desk() -> tuple[Web, Desk]:
    desk = Desk()
    top = BookTop(symbol=BTC, bid=6899.0, bid_size=3.0, ask=6901.0, ask_size=1.0, venue_ms=NOW_MS, received_ns=1)
    readers = some_readers(
        regimes=lambda: (a_regime(), a_regime(timeframe="5m", regime=RegimeName.TREND_UP), a_regime(ETH)),
        regime_spells=lambda: {"tBTCUSD:1m": SPELLS, "tETHUSD:1m": (a_spell(0, RegimeName.RANGE, symbol=ETH),)},
        tops=lambda: {BTC: top},
        settings=lambda: Settings(),
        prints=lambda symbol: (
            TradePrint(
                symbol=BTC, trade_id=1, time_ms=NOW_MS, amount=0.5, price=6900.0, venue_ms=NOW_MS, received_ns=1
            ),
        ),
    )
    return a_web(readers=readers, told=desk), desk


async def test_regimes_of_all_symbols_and_of_one() -> None:
    web, _ = a_desk()
    async with web.client(Scope.READ) as client:
        rows = (await client.get("/api/v2/regime")).json()["regimes"]
        assert [(row["symbol"], row["timeframe"], row["regime"]) for row in rows] == [
            ("tBTCUSD", "1m", "range"),
            ("tBTCUSD", "5m", "trend_up"),
            ("tETHUSD", "1m", "range"),
        ]
        one = (await client.get("/api/v2/regime/tBTCUSD", params={"timeframe": "5m"})).json()["regimes"]
        assert [row["reason"] for row in one] == ["went nowhere"]
        assert (await client.get("/api/v2/regime/tNOPEUSD")).status_code == 404
        assert (await client.get("/api/v2/regime", params={"timeframe": "soon"})).status_code == 422


async def test_the_watchlist_tells_every_symbol_in_one_call() -> None:
    web, _ = a_desk()
    async with web.client(Scope.READ) as client:
        btc, eth = (await client.get("/api/v2/watchlist")).json()["symbols"]
    assert (btc["bid"], btc["ask"], btc["imbalance"]) == (6899.0, 6901.0, 0.5)
    assert (btc["flow"], btc["depth_imbalance"]) == (1.0, None)
    assert round(btc["spread_bps"], 3) == 2.899
    assert btc["regime"]["timeframe"] == "5m", "the longest time frame unless another is asked for"
    assert (btc["position"], btc["unrealized_pnl"]) == (0.5, -5.5)
    assert (eth["position"], eth["regime"]["timeframe"]) == (0.0, "1m")
    assert btc["strategies"][0]["strategy"] == "btc-ema"
    assert btc["strategies"][0]["acted"]["recommendation"] == a_score(2).recommendation
    assert [one["strategy"] for one in eth["strategies"]] == ["eth-ema"]


async def test_newest_words_of_strategies() -> None:
    web, _ = a_desk()
    async with web.client(Scope.READ) as client:
        rows = (await client.get("/api/v2/signals/latest")).json()["strategies"]
    assert [row["strategy"] for row in rows] == ["btc-ema", "eth-ema"]
    assert rows[1]["newest"] is None


async def test_what_was_said_of_history_is_not_told_as_acted() -> None:
    """At a first start the newest buy of the warm-up stood as `last acted`, and nothing had been traded."""
    of_history = msgspec.structs.replace(a_score(3), catch_up=True)
    web = a_web(readers=some_readers(settings=lambda: Settings(), signals=lambda: (a_score(2), of_history)))
    async with web.client(Scope.READ) as client:
        row = (await client.get("/api/v2/signals/latest")).json()["strategies"][0]
    assert (row["newest"]["signal_id"], row["acted"]["signal_id"]) == (of_history.signal_id, a_score(2).signal_id)


async def test_the_history_of_signals_is_searched() -> None:
    web, desk = a_desk()
    async with web.client(Scope.READ) as client:
        asked = {"symbol": "tBTCUSD", "recommendation": "buy", "confidence_from": "0.5", "from_ms": "5", "limit": "7"}
        found = (await client.get("/api/v2/signals/history", params=asked)).json()
        assert (found["total"], found["searched"], found["complete"]) == (1, 5, True)
        assert found["signals"][0]["signal_id"] == a_score(2).signal_id
        expected = SignalSearch(
            symbol="tBTCUSD", recommendation=Recommendation.BUY, confidence_from=0.5, from_ms=5, limit=7
        )
        assert desk.asked == [expected]
        for wrong in (
            {"recommendation": "maybe"},
            {"confidence_from": "2"},
            {"from_ms": "9", "to_ms": "5"},
            {"limit": "0"},
            {"nothing": "1"},
        ):
            answer = await client.get("/api/v2/signals/history", params=wrong)
            assert answer.status_code == 422, wrong
    nobody = a_web()
    async with nobody.client(Scope.READ) as client:
        assert (await client.get("/api/v2/signals/history")).status_code == 404


async def test_strategies_that_run_and_kinds_to_choose_from() -> None:
    view = StrategyView(
        strategy="dip",
        kind="rsi_dip",
        version=7,
        symbol=BTC,
        timeframe="5m",
        parameters={"period": 14.0},
        scores=3,
        last_open_ms=NOW_MS,
        fault="rsi_dip.py, line 3: NameError: name 'x' is not defined",
        own=True,
    )
    web = a_web(readers=some_readers(strategies=lambda: (view,)))
    async with web.client(Scope.READ) as client:
        answer = (await client.get("/api/v2/strategies")).json()
    assert [(one["strategy"], one["fills"]) for one in answer["books"]] == [("btc-ema", 5)]
    assert answer["running"][0]["fault"].startswith("rsi_dip.py, line 3")
    cross = next(kind for kind in answer["kinds"] if kind["kind"] == "ema_cross")
    assert not cross["own"]
    assert cross["parameters"][0]["name"] == "fast"


def test_a_view_of_a_regime_is_plain_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(a_regime()))["regime"] == "range"


async def test_the_history_of_regimes_is_told_newest_first_by_pages_and_times() -> None:
    web, _ = a_desk()

    async def asked(query: str) -> dict[str, object]:
        async with web.client(Scope.READ) as client:
            answer = await client.get(f"/api/v2/regime/history{query}")
        assert answer.status_code == 200, answer.text
        found: dict[str, object] = msgspec.json.decode(answer.content)
        return found

    def names(found: dict[str, object]) -> list[object]:
        return [spell["regime"] for spell in found["spells"]]  # type: ignore[attr-defined]

    whole = await asked("?symbol=tBTCUSD&timeframe=1m")
    assert (whole["total"], whole["known_since_ms"]) == (3, NOW_MS)
    assert names(whole) == ["trend_up", "crash", "range"]
    assert whole["spells"][0] == msgspec.to_builtins(SPELLS[2])  # type: ignore[index]
    assert names(await asked("?symbol=tBTCUSD&limit=1&offset=1")) == ["crash"]
    assert (await asked(""))["total"] == 4
    # What only overlaps with the times that are asked for belongs to them.
    within = f"?symbol=tBTCUSD&from_ms={SPELLS[1].since_ms - 1}&to_ms={SPELLS[1].since_ms + 1}"
    assert names(await asked(within)) == ["crash", "range"]
    assert await asked("?symbol=tXYZUSD") == {"total": 0, "known_since_ms": None, "spells": []}
    async with web.client(Scope.READ) as client:
        assert (await client.get("/api/v2/regime/history?from_ms=2&to_ms=1")).status_code == 422
