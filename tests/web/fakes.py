"""A web without an engine: fixed readings, controls that remember what they were told, and a clock that tests move."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import attrs
import httpx
import trio
from quart_trio import QuartTrio

from genesis.domain.account_machine import AccountMachine
from genesis.domain.live_performance import LivePerformance, live_performance
from genesis.domain.settings_build import Built, build, plain
from genesis.domain.strategy_books import strategy_books
from genesis.edge.connection_stats import Durations
from protocols.config import ConfigView, EffectiveValue
from protocols.health import ActorStatus, ActorView, ChannelView, ConnectionView, LineTimes, Notice
from protocols.market import Candle, Freshness, Ticker
from protocols.orders import (
    Adopt,
    CancelIntent,
    Fill,
    Flatten,
    OrderState,
    OrderType,
    OrderView,
    Purpose,
    UpdateIntent,
    VenueWallet,
    WalletSnapshot,
)
from protocols.risk import (
    AccountState,
    ChangeAnswer,
    ChangeOrder,
    DenialCode,
    ManualOrder,
    PositionView,
    RiskCommand,
    RiskStatus,
    RuleResult,
    TradingState,
    Verdict,
    WalletView,
)
from protocols.settings import Settings
from protocols.signals import Recommendation, SignalScore
from protocols.trading import LotView, ProtectionView
from protocols.units import Side, Symbol
from web.app import create_app
from web.controls import Busy, Controls
from web.guard import hosts_for
from web.hub import Hub
from web.keyring import Keyring, new_keyring
from web.models import EngineStatus, EquityPoint
from web.readers import Readers
from web.tokens import Scope, Tokens

BTC = Symbol("tBTCUSD")
ETH = Symbol("tETHUSD")
NOW_MS = 1_800_000_000_000
PORT = 8000
BASE = f"http://127.0.0.1:{PORT}"


@attrs.define
class HandClock:
    """A clock that only moves when a test says so; both times move together."""

    seconds: float = 1000.0

    def now(self) -> float:
        return self.seconds

    def now_ns(self) -> int:
        return int(self.seconds * 1e9)

    def wall_ms(self) -> int:
        return NOW_MS + int((self.seconds - 1000) * 1000)


def a_keyring(seed: int = 1) -> Keyring:
    return new_keyring(random.Random(seed).randbytes)


def an_order(number: int = 1, *, state: OrderState = OrderState.ACKED, foreign: bool = False) -> OrderView:
    return OrderView(
        intent_id="" if foreign else f"btc-ema:tBTCUSD:5m:{number}:entry",
        cid=number,
        venue_id=1000 + number,
        strategy="" if foreign else "btc-ema",
        symbol=BTC if number % 2 else ETH,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        purpose=Purpose.ENTRY,
        quantity=Decimal("0.5"),
        filled_quantity=Decimal(0),
        average_fill_price=Decimal(0),
        price=Decimal("6900"),
        state=state,
        reason="ACTIVE",
        created_ms=NOW_MS,
        updated_ms=NOW_MS,
        correlation_id=f"c{number}",
        foreign=foreign,
    )


def a_fill(number: int = 1) -> Fill:
    return Fill(
        trade_id=number,
        intent_id="i",
        cid=number,
        venue_order_id=1,
        strategy="btc-ema",
        symbol=BTC,
        side=Side.BUY,
        quantity=Decimal("0.5"),
        price=Decimal("6900.5"),
        fee=Decimal("-0.001"),
        fee_currency="BTC",
        maker=False,
        purpose=Purpose.ENTRY,
        time_ms=NOW_MS,
        correlation_id="c",
        foreign=False,
    )


def a_candle(number: int = 0, *, symbol: Symbol = BTC, timeframe: str = "1m", close: float = 2.0) -> Candle:
    return Candle(
        symbol=symbol,
        timeframe=timeframe,
        open_ms=NOW_MS + number * 60_000,
        open=1.0,
        high=3.0,
        low=0.5,
        close=close,
        volume=10.0,
    )


def a_ticker(symbol: Symbol = BTC, last: float = 6900.0) -> Ticker:
    return Ticker(
        symbol=symbol,
        bid=last - 1,
        bid_size=1.0,
        ask=last + 1,
        ask_size=1.0,
        last=last,
        daily_change=0.0,
        daily_change_relative=0.0,
        volume=1.0,
        high=last,
        low=last,
        venue_ms=NOW_MS,
        received_ns=0,
    )


def a_score(number: int = 1, recommendation: Recommendation = Recommendation.BUY) -> SignalScore:
    return SignalScore(
        signal_id=f"btc-ema:tBTCUSD:5m:{number}",
        strategy="btc-ema",
        symbol=BTC,
        timeframe="5m",
        candle_open_ms=number,
        decided_ms=NOW_MS + number,
        price=6900.0,
        recommendation=recommendation,
        confidence=0.7,
        probability=0.5,
        source="heuristic",
        features={"ema_fast": 1.0},
        reasons=("the fast average crossed the slow one",),
        catch_up=False,
        correlation_id="c",
        received_ns=0,
    )


def a_verdict(number: int = 1, *, approved: bool = True) -> Verdict:
    code = None if approved else DenialCode.MAX_ORDER_NOTIONAL
    numbers = {"notional": "6000", "max_order_notional": "5000"}
    return Verdict(
        verdict_id=f"v{number}",
        strategy="btc-ema",
        symbol=BTC,
        side=Side.BUY,
        approved=approved,
        intent=None,
        trace=(RuleResult(rule="max_order_notional", passed=approved, code=code, numbers=numbers),),
        decided_ms=NOW_MS,
        signal_id=f"s{number}",
        settings_version=1,
        correlation_id=f"c{number}",
    )


def an_account(equity: str = "10000", *, at_ms: int = NOW_MS) -> AccountState:
    return AccountState(
        known=True,
        version=1,
        quote_currency="USD",
        equity=Decimal(equity),
        cash=Decimal("6550"),
        realized_pnl=Decimal("10"),
        unrealized_pnl=Decimal("-5.5"),
        fees=Decimal("1.25"),
        wallets=(WalletView(wallet_type="exchange", currency="USD", balance=Decimal("6550"), available=None),),
        positions=(
            PositionView(
                symbol=BTC,
                quantity=Decimal("0.5"),
                average_price=Decimal("6900"),
                mark_price=Decimal("6889"),
                notional=Decimal("3444.5"),
                unrealized_pnl=Decimal("-5.5"),
                realized_pnl=Decimal("10"),
                fees=Decimal("1.25"),
            ),
        ),
        closed_intents=(),
        closed_count=0,
        mismatched_symbols=(),
        as_of_ms=at_ms,
    )


def a_risk(state: TradingState = TradingState.ACTIVE) -> RiskStatus:
    return RiskStatus(
        state=state,
        reason="",
        paused=False,
        trades_today=3,
        trades_today_by_symbol={"tBTCUSD": 3},
        day="2027-01-15",
        day_start_equity=Decimal("10000"),
        peak_equity=Decimal("10100"),
        headroom={"max_gross_exposure": ("3444.5", "10000")},
        denials_by_code={"paused": 2},
        settings_version=1,
    )


def a_channel(name: str = "scores", depth: int = 3) -> ChannelView:
    return ChannelView(
        name=name,
        overflow="block",
        capacity=1024,
        depth=depth,
        leased=1,
        put=10,
        acked=6,
        conflated=0,
        dropped=0,
        refused=0,
        dead=0,
        redelivered=1,
        oldest_age_s=0.1,
    )


def an_actor(
    name: str, children: tuple[ActorView, ...] = (), *, status: ActorStatus = ActorStatus.RUNNING
) -> ActorView:
    return ActorView(
        name=name,
        kind="supervisor" if children else "worker",
        status=status,
        strategy="ONE_FOR_ONE" if children else None,
        restart="permanent",
        generation=1,
        restarts=2,
        last_error=None,
        since_s=5.0,
        last_progress_s=0.1,
        channels=() if children else (a_channel(),),
        children=children,
    )


def a_performance() -> LivePerformance | None:
    """The figures of an account that has its money and has not traded."""
    machine = AccountMachine(Settings())
    wallet = VenueWallet(
        session=1, wallet_type="exchange", currency="USD", balance=Decimal(1000), available=None, received_ns=0
    )
    machine.on_balance(WalletSnapshot(session=1, wallets=(wallet,), received_ns=0))
    machine.mark_time(NOW_MS)
    return live_performance(machine.view(), (), (), {})


def some_line_times() -> tuple[LineTimes, ...]:
    """One fall that was seen after twenty seconds, and four recoveries."""
    detect, recover = Durations(), Durations()
    detect.append(20.3)
    for seconds in (0.3, 0.3, 0.4, 1.5):
        recover.append(seconds)
    return detect.view("public", "detect"), recover.view("public", "recover")


def a_config() -> ConfigView:
    built = build(())
    assert isinstance(built, Built)
    effective = tuple(
        EffectiveValue(key=path, value=plain(each.value), layer=each.layer) for path, each in built.effective.items()
    )
    return ConfigView(version=1, priority="runtime", effective=effective)


def some_readers(**changes: object) -> Readers:
    """Readers over fixed values; `changes` replace single readers."""
    fixed: dict[str, object] = {
        "status": lambda: EngineStatus(
            mode="sim",
            version="0.1.0",
            venue_ms=NOW_MS,
            symbols=("tBTCUSD", "tETHUSD"),
            timeframes=("1m", "5m"),
        ),
        "tickers": lambda: {BTC: a_ticker(), ETH: a_ticker(ETH, 690.0)},
        "candles": lambda symbol, timeframe: (
            tuple(a_candle(n) for n in range(10)) if (symbol, timeframe) == (BTC, "1m") else ()
        ),
        "account": an_account,
        "orders": lambda: (
            an_order(1, state=OrderState.FILLED),
            an_order(2),
            an_order(3),
            an_order(4, foreign=True),
        ),
        "fills": lambda: tuple(a_fill(n) for n in range(1, 6)),
        "day_start_equity": lambda: Decimal("10000"),
        "books": lambda: strategy_books([a_fill(n) for n in range(1, 6)], {}),
        "signals": lambda: (a_score(1, Recommendation.HOLD), a_score(2)),
        "verdicts": lambda: (a_verdict(1), a_verdict(2, approved=False)),
        "risk": a_risk,
        "actors": lambda: an_actor("engine", (an_actor("risk"), an_actor("order"))),
        "line_times": some_line_times,
        "connections": lambda: (
            ConnectionView(
                name="public",
                uri="ws://127.0.0.1",
                status="up",
                session=1,
                reconnects=1,
                last_error=None,
                frames=100,
                subscriptions=4,
                venue_ms=NOW_MS,
                last_frame_age_s=0.2,
            ),
        ),
        "freshness": lambda: (
            Freshness(stream="ticker", symbol=BTC, timeframe="", age_ms=500, limit_ms=30_000, stale=False),
        ),
        "performance": a_performance,
        "equity": lambda: tuple(EquityPoint(at_ms=NOW_MS + n, equity=10_000.0 + n) for n in range(50)),
        "config": a_config,
        "notices": lambda: (Notice(level="info", code="start", text="started", at_ms=NOW_MS),),
    }
    return Readers(**{**fixed, **changes})  # type: ignore[arg-type]


SAID_NOTHING = ChangeAnswer(known=True, verdict=None)


@attrs.define
class Told:
    """Controls that keep what they were told. `busy` makes them all refuse; `verdict` is what risk answers."""

    messages: list[object] = attrs.field(factory=list)
    killed: list[str] = attrs.field(factory=list)
    busy: bool = False
    slow: bool = False
    verdict: Verdict | None = None
    change_answer: ChangeAnswer | None = SAID_NOTHING

    def _take(self, message: object) -> None:
        if self.busy:
            raise Busy("the test's mailbox", retry_after_s=2)
        self.messages.append(message)

    async def order(self, message: ManualOrder) -> Verdict | None:
        self._take(message)
        return self.verdict

    async def cancel(self, message: CancelIntent) -> None:
        self._take(message)

    async def update(self, message: UpdateIntent) -> None:
        self._take(message)

    async def change_order(self, message: ChangeOrder) -> ChangeAnswer | None:
        self._take(message)
        return self.change_answer

    async def flatten(self, message: Flatten) -> None:
        self._take(message)

    async def adopt(self, message: Adopt) -> None:
        self._take(message)

    async def risk(self, message: RiskCommand) -> bool:
        self._take(message)
        return not self.slow

    async def kill(self, path: str) -> bool:
        self.killed.append(path)
        return path == "engine/risk"

    def controls(self) -> Controls:
        return Controls(
            order=self.order,
            cancel=self.cancel,
            update=self.update,
            change=self.change_order,
            flatten=self.flatten,
            adopt=self.adopt,
            risk=self.risk,
            kill_actor=self.kill,
        )


@attrs.define
class Web:
    """An application in this process, and clients for it."""

    app: QuartTrio
    tokens: Tokens
    clock: HandClock
    told: Told
    hub: Hub
    caller: str = "127.0.0.1"

    def bearer(self, scope: Scope = Scope.ADMIN) -> dict[str, str]:
        token = self.tokens.mint(subject="tester", scope=scope, life_s=600).token
        return {"Authorization": f"Bearer {token}"}

    @asynccontextmanager
    async def client(self, scope: Scope | None = Scope.ADMIN) -> AsyncIterator[httpx.AsyncClient]:
        headers = {} if scope is None else self.bearer(scope)
        transport = httpx.ASGITransport(app=self.app, client=(self.caller, 40_000))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as client:
            with trio.fail_after(60):
                yield client


def a_web(
    *,
    readers: Readers | None = None,
    told: Told | None = None,
    controls: Controls | None = None,
    dev: bool = False,
    loopback: bool = True,
) -> Web:
    told = told if told is not None else Told()
    clock = HandClock()
    hub = Hub()
    tokens = Tokens(keyring=a_keyring(), clock=clock, random_bytes=random.Random(2).randbytes, dev=dev)
    app = create_app(
        readers=readers if readers is not None else some_readers(),
        controls=controls if controls is not None else told.controls(),
        tokens=tokens,
        clock=clock,
        chance=random.Random(3),
        hosts=hosts_for((), PORT),
        hub=hub,
        loopback=loopback,
    )
    return Web(app=app, tokens=tokens, clock=clock, told=told, hub=hub)


def a_lot(symbol: str, strategy: str) -> ProtectionView:
    """A position of 1 that is one strategy's, with a stop around it."""
    one = Decimal(1)
    levels = {"stop_price": Decimal(90), "target_price": None, "trailing_distance": None}
    lot = LotView(
        lot=strategy, strategy=strategy, quantity=one, wanted=one, stopped=one, activation_price=None, **levels
    )
    return ProtectionView(
        symbol=Symbol(symbol), margin=False, held=one, wanted=one, stopped=one, stops=1, note="", lots=(lot,), **levels
    )
