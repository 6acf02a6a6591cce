"""Serve the page with lively made-up values, to see and test it without an engine.

`python tools/web_demo.py [--port 8010]` prints the link. Nothing here trades: prices are a seeded random walk, and the
controls change what the page shows and nothing else.
"""

import argparse
import math
import random
import secrets
from decimal import Decimal

import attrs
import trio

from genesis.core.clock import TrioClock
from genesis.domain.strategy_books import strategy_books
from protocols.health import ActorStatus, ActorView, ChannelView, ConnectionView, Notice
from protocols.market import Candle, CandleClosed, CandleUpdate, Freshness, Ticker
from protocols.orders import (
    CancelIntent,
    Fill,
    Flatten,
    OrderIntent,
    OrderState,
    OrderType,
    OrderUpdate,
    OrderView,
    Purpose,
)
from protocols.risk import (
    AccountState,
    DenialCode,
    ManualOrder,
    PositionView,
    RiskCommand,
    RiskStatus,
    RuleResult,
    SetPaused,
    SetTradingState,
    TradingState,
    Verdict,
    WalletView,
)
from protocols.signals import Recommendation, SignalScore
from protocols.trading import FlattenView
from protocols.units import Side, Symbol
from web.app import create_app
from web.controls import Controls
from web.feed import Poll, publish_event
from web.guard import hosts_for
from web.hub import Hub
from web.keyring import new_keyring
from web.models import EngineStatus, ReplayProgress
from web.readers import Readers
from web.recent import Recent, UiEvent
from web.server import ServerCounters, open_listeners, port_of
from web.site import Site
from web.tokens import Tokens

START_MS = 1_517_875_200_000
MINUTE_MS = 60_000
HISTORY = 375
TIMEFRAMES = {"1m": 1, "5m": 5}
SYMBOLS = {Symbol("tBTCUSD"): 6900.0, Symbol("tETHUSD"): 690.0}
ACTORS = {
    "market": ("connection_public", "market_cache", "watchdog"),
    "decisions": ("signal", "risk"),
    "trading": ("connection_private", "order", "account"),
    "support": ("journal", "config", "web"),
}


@attrs.define
class Demo:
    """A market that wanders and an engine that seems to trade it."""

    chance: random.Random = attrs.field(factory=lambda: random.Random(20180206))  # noqa: S311
    recent: Recent = attrs.field(factory=Recent)
    hub: Hub = attrs.field(factory=Hub)
    minute: int = 0
    prices: dict[Symbol, float] = attrs.field(factory=lambda: dict(SYMBOLS))
    held: dict[Symbol, Decimal] = attrs.field(factory=lambda: {symbol: Decimal(0) for symbol in SYMBOLS})
    paid: dict[Symbol, Decimal] = attrs.field(factory=lambda: {symbol: Decimal(0) for symbol in SYMBOLS})
    forming: dict[tuple[Symbol, str], Candle] = attrs.field(factory=dict)
    realized: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    state: TradingState = TradingState.ACTIVE
    paused: bool = False
    reason: str = ""
    lines: dict[str, str] = attrs.field(factory=dict)
    """What is up is not here."""
    restarts: dict[str, int] = attrs.field(factory=dict)
    errors: dict[str, str] = attrs.field(factory=dict)
    denials: dict[str, int] = attrs.field(factory=dict)
    trades: int = 0
    started: float = 0.0
    stopping: trio.Event = attrs.field(factory=trio.Event)
    held_down: trio.Event | None = None
    """A web that was stopped comes back when this is set; without it after two seconds."""
    number: int = 0
    flattens: tuple[FlattenView, ...] = ()

    @property
    def now_ms(self) -> int:
        return START_MS + self.minute * MINUTE_MS

    def tell(self, event: UiEvent) -> None:
        self.recent.hear(event)
        publish_event(self.hub, event)

    def step(self) -> None:
        """One simulated minute: four ticks for each symbol, candles, a signal, perhaps a trade."""
        for symbol in SYMBOLS:
            drift = 0.00045 * math.sin(self.minute / 19 + (symbol == "tETHUSD")) - 0.00002
            for tick in range(4):
                self.prices[symbol] *= 1 + drift + self.chance.gauss(0, 0.0016)
                self._candles(symbol, self.now_ms + tick * 15_000)
            self._ticker(symbol)
            if self.minute % 5 == 4:
                self._decide(symbol)
        self.minute += 1
        self.tell(self.account())

    def _candles(self, symbol: Symbol, at_ms: int) -> None:
        price = round(self.prices[symbol], 2)
        for timeframe, minutes in TIMEFRAMES.items():
            open_ms = at_ms // (minutes * MINUTE_MS) * minutes * MINUTE_MS
            old = self.forming.get((symbol, timeframe))
            if old is not None and old.open_ms != open_ms:
                self.tell(
                    CandleClosed(
                        candle=old,
                        closed_ms=open_ms,
                        catch_up=False,
                        correlation_id=f"{symbol}:{timeframe}:{old.open_ms}",
                        received_ns=0,
                    )
                )
                old = None
            size = abs(self.chance.gauss(2, 4))
            candle = Candle(
                symbol=symbol,
                timeframe=timeframe,
                open_ms=open_ms,
                open=price if old is None else old.open,
                high=price if old is None else max(old.high, price),
                low=price if old is None else min(old.low, price),
                close=price,
                volume=size if old is None else old.volume + size,
            )
            self.forming[(symbol, timeframe)] = candle
            self.tell(CandleUpdate(candle=candle, venue_ms=at_ms, received_ns=0))

    def _ticker(self, symbol: Symbol) -> None:
        price = self.prices[symbol]
        change = price - SYMBOLS[symbol]
        self.tell(
            Ticker(
                symbol=symbol,
                bid=round(price * 0.9998, 2),
                bid_size=3.2,
                ask=round(price * 1.0002, 2),
                ask_size=1.7,
                last=round(price, 2),
                daily_change=round(change, 2),
                daily_change_relative=round(change / SYMBOLS[symbol], 5),
                volume=61_234.5 + self.minute,
                high=round(SYMBOLS[symbol] * 1.05, 2),
                low=round(SYMBOLS[symbol] * 0.9, 2),
                venue_ms=self.now_ms,
                received_ns=0,
            )
        )

    def _decide(self, symbol: Symbol) -> None:
        strategy = "btc-ema" if symbol == "tBTCUSD" else "eth-ema"
        closes = [candle.close for candle in self.recent.candles(symbol, "5m")][-26:]
        fast, slow = sum(closes[-5:]) / max(1, len(closes[-5:])), sum(closes) / max(1, len(closes))
        crossed = Recommendation.HOLD
        if fast > slow * 1.0012 and self.held[symbol] == 0:
            crossed = Recommendation.BUY
        elif fast < slow * 0.9995 and self.held[symbol] > 0:
            crossed = Recommendation.SELL
        word = "above" if fast > slow else "below"
        open_ms = self.now_ms - 4 * MINUTE_MS
        score = SignalScore(
            signal_id=f"{strategy}:{symbol}:5m:{open_ms}",
            strategy=strategy,
            symbol=symbol,
            timeframe="5m",
            candle_open_ms=open_ms,
            decided_ms=self.now_ms + 1000,
            price=round(self.prices[symbol], 2),
            recommendation=crossed,
            confidence=round(min(1.0, abs(fast / slow - 1) * 180), 3),
            probability=0.5,
            source="heuristic",
            features={
                "ema_fast": round(fast, 2),
                "ema_slow": round(slow, 2),
                "atr": round(self.prices[symbol] / 310, 3),
            },
            reasons=(f"the fast average {fast:.2f} is {word} the slow one {slow:.2f}",),
            catch_up=False,
            correlation_id=f"{symbol}:5m:{open_ms}",
            received_ns=0,
        )
        self.tell(score)
        if crossed is not Recommendation.HOLD:
            side = Side.BUY if crossed is Recommendation.BUY else Side.SELL
            purpose = Purpose.ENTRY if side is Side.BUY else Purpose.EXIT
            quantity = self.held[symbol] if side is Side.SELL else Decimal(str(round(2400 / self.prices[symbol], 4)))
            self.judge(strategy, symbol, side, quantity, purpose, score.signal_id)

    def judge(
        self, strategy: str, symbol: Symbol, side: Side, quantity: Decimal, purpose: Purpose, signal_id: str
    ) -> Verdict:
        intent = OrderIntent(
            intent_id=f"{signal_id}:{purpose.value}",
            strategy=strategy,
            symbol=symbol,
            side=side,
            quantity=quantity,
            order_type=OrderType.MARKET,
            purpose=purpose,
            decided_ms=self.now_ms + 1000,
            correlation_id=signal_id,
            signal_id=signal_id,
        )
        notional = (quantity * Decimal(str(round(self.prices[symbol], 2)))).quantize(Decimal("0.01"))
        refused: DenialCode | None = None
        numbers = {"notional": str(notional), "max_order_notional": "5000"}
        if purpose is Purpose.ENTRY and self.state is not TradingState.ACTIVE:
            refused, numbers = DenialCode.HALTED, {"state": self.state.value}
        elif purpose is Purpose.ENTRY and self.paused:
            refused, numbers = DenialCode.PAUSED, {"since": "asked over the API"}
        elif notional > 5000:
            refused = DenialCode.MAX_ORDER_NOTIONAL
        elif purpose is Purpose.ENTRY and self.chance.random() < 0.35:
            refused, numbers = DenialCode.MAX_TRADES_PER_SYMBOL, {"trades_today": "100", "max_trades": "100"}
        passed = (
            ("trading_state", {"state": self.state.value}),
            ("max_position_notional", {"position": "0", "after": str(notional), "max": "5000"}),
            ("max_daily_loss", {"loss": "0.0123", "max": "0.05"}),
            ("max_trades_per_day", {"trades": str(self.trades), "max": "200"}),
        )
        trace = (
            *(RuleResult(rule=rule, passed=True, code=None, numbers=told) for rule, told in passed),
            RuleResult(rule="order_size", passed=refused is None, code=refused, numbers=numbers),
        )
        verdict = Verdict(
            verdict_id=intent.intent_id,
            strategy=strategy,
            symbol=symbol,
            side=side,
            approved=refused is None,
            intent=intent,
            trace=trace,
            decided_ms=self.now_ms + 1000,
            signal_id=signal_id,
            settings_version=1,
            correlation_id=signal_id,
        )
        self.tell(verdict)
        if refused is not None:
            self.denials[refused.value] = self.denials.get(refused.value, 0) + 1
        else:
            self._fill(intent)
        return verdict

    def _fill(self, intent: OrderIntent) -> None:
        self.number += 1
        self.trades += 1
        price = Decimal(str(round(self.prices[intent.symbol], 2)))
        view = OrderView(
            intent_id=intent.intent_id,
            cid=self.number,
            venue_id=10_000 + self.number,
            strategy=intent.strategy,
            symbol=intent.symbol,
            side=intent.side,
            order_type=intent.order_type,
            purpose=intent.purpose,
            quantity=intent.quantity,
            filled_quantity=intent.quantity,
            average_fill_price=price,
            price=None,
            state=OrderState.FILLED,
            reason=f"EXECUTED @ {price}({intent.quantity})",
            created_ms=intent.decided_ms,
            updated_ms=intent.decided_ms + 40,
            correlation_id=intent.correlation_id,
            foreign=False,
        )
        self.tell(OrderUpdate(order=view))
        fee = (price * intent.quantity * Decimal("0.002")).quantize(Decimal("0.00000001"))
        self.fees += fee
        if intent.side is Side.BUY:
            self.paid[intent.symbol] = price
            self.held[intent.symbol] += intent.quantity
            self._rest(intent, price)
        else:
            self.realized += (price - self.paid[intent.symbol]) * intent.quantity
            self.held[intent.symbol] -= intent.quantity
            self.cancel(CancelIntent(intent_id=None, reason="the position is closed", correlation_id=""), intent.symbol)
        self.tell(
            Fill(
                trade_id=self.number,
                intent_id=intent.intent_id,
                cid=self.number,
                venue_order_id=10_000 + self.number,
                strategy=intent.strategy,
                symbol=intent.symbol,
                side=intent.side,
                quantity=intent.quantity,
                price=price,
                fee=-fee,
                fee_currency="USD",
                maker=False,
                purpose=intent.purpose,
                time_ms=intent.decided_ms + 30,
                correlation_id=intent.correlation_id,
                foreign=False,
            )
        )

    def _rest(self, entry: OrderIntent, price: Decimal) -> None:
        self.number += 1
        stop = OrderView(
            intent_id=f"{entry.intent_id}:stop",
            cid=self.number,
            venue_id=10_000 + self.number,
            strategy=entry.strategy,
            symbol=entry.symbol,
            side=Side.SELL,
            order_type=OrderType.STOP,
            purpose=Purpose.STOP,
            quantity=entry.quantity,
            filled_quantity=Decimal(0),
            average_fill_price=Decimal(0),
            price=(price * Decimal("0.975")).quantize(Decimal("0.1")),
            state=OrderState.ACKED,
            reason="ACTIVE",
            created_ms=entry.decided_ms + 60,
            updated_ms=entry.decided_ms + 90,
            correlation_id=entry.correlation_id,
            foreign=False,
        )
        self.tell(OrderUpdate(order=stop))

    def cancel(self, wish: CancelIntent, symbol: Symbol | None = None) -> None:
        for view in self.recent.orders():
            named = wish.intent_id in (None, view.intent_id) and symbol in (None, view.symbol)
            if named and view.state is OrderState.ACKED:
                values = {field: getattr(view, field) for field in view.__struct_fields__}
                values |= {"state": OrderState.CANCELED, "reason": wish.reason}
                self.tell(OrderUpdate(order=OrderView(**values)))

    # --- what the page reads ------------------------------------------------------------------------------------

    def account(self) -> AccountState:
        cash = Decimal(10_000) + self.realized - self.fees
        positions = []
        unrealized = Decimal(0)
        for symbol, quantity in self.held.items():
            mark = Decimal(str(round(self.prices[symbol], 2)))
            gain = ((mark - self.paid[symbol]) * quantity).quantize(Decimal("0.01"))
            unrealized += gain
            positions.append(
                PositionView(
                    symbol=symbol,
                    quantity=quantity,
                    average_price=self.paid[symbol],
                    mark_price=mark,
                    notional=(mark * quantity).quantize(Decimal("0.01")),
                    unrealized_pnl=gain,
                    realized_pnl=Decimal(0),
                    fees=Decimal(0),
                )
            )
        wallets = tuple(
            WalletView(wallet_type="exchange", currency=currency, balance=balance, available=balance)
            for currency, balance in (
                ("USD", cash.quantize(Decimal("0.01"))),
                ("BTC", self.held[Symbol("tBTCUSD")]),
                ("ETH", self.held[Symbol("tETHUSD")]),
            )
        )
        return AccountState(
            known=True,
            version=self.minute,
            quote_currency="USD",
            equity=(cash + unrealized).quantize(Decimal("0.01")),
            cash=cash.quantize(Decimal("0.01")),
            realized_pnl=self.realized.quantize(Decimal("0.01")),
            unrealized_pnl=unrealized,
            fees=self.fees.quantize(Decimal("0.01")),
            wallets=wallets,
            positions=tuple(positions),
            closed_intents=(),
            closed_count=0,
            mismatched_symbols=(),
            as_of_ms=self.now_ms,
        )

    def risk(self) -> RiskStatus:
        account = self.account()
        held = sum((abs(view.notional) for view in account.positions), Decimal(0))
        loss = max(Decimal(0), 1 - account.equity / 10_000)
        return RiskStatus(
            state=self.state,
            reason=self.reason,
            paused=self.paused,
            trades_today=self.trades,
            trades_today_by_symbol={"tBTCUSD": self.trades // 2, "tETHUSD": self.trades - self.trades // 2},
            day="2018-02-06",
            day_start_equity=Decimal("10000"),
            peak_equity=Decimal("10054.20"),
            headroom={
                "max_gross_exposure": (str(held), "10000"),
                "max_daily_loss": (str(loss.quantize(Decimal("0.0001"))), "0.05"),
                "max_drawdown": ("0.031", "0.20"),
                "max_trades_per_day": (str(self.trades), "200"),
                "max_open_positions": (str(sum(1 for q in self.held.values() if q)), "10"),
                "max_orders_per_minute": ("24", "30"),
            },
            denials_by_code=dict(self.denials),
            settings_version=1,
        )

    def actors(self) -> ActorView:
        def channel(name: str, depth: int, overflow: str) -> ChannelView:
            put = 1000 + self.minute * 7
            return ChannelView(
                name=name,
                overflow=overflow,
                capacity=1024,
                depth=depth,
                leased=1 if depth else 0,
                put=put,
                acked=put - depth,
                conflated=31 if overflow == "conflate" else 0,
                dropped=0,
                refused=0,
                dead=0,
                redelivered=self.restarts.get(name, 0),
                oldest_age_s=depth * 0.003,
            )

        def worker(name: str) -> ActorView:
            depth = self.chance.choice((0, 0, 0, 1, 2, 14)) if name != "risk" else self.chance.choice((0, 460))
            return ActorView(
                name=name,
                kind="worker",
                status=ActorStatus.RUNNING,
                strategy=None,
                restart="permanent",
                generation=1 + self.restarts.get(name, 0),
                restarts=self.restarts.get(name, 0),
                last_error=self.errors.get(name),
                since_s=trio.current_time() - self.started,
                last_progress_s=0.1,
                channels=(channel(name, depth, "conflate" if name == "market_cache" else "block"),),
                children=(),
            )

        def branch(name: str, strategy: str, children: tuple[ActorView, ...]) -> ActorView:
            return ActorView(
                name=name,
                kind="supervisor",
                status=ActorStatus.RUNNING,
                strategy=strategy,
                restart="permanent",
                generation=1,
                restarts=0,
                last_error=None,
                since_s=trio.current_time() - self.started,
                last_progress_s=0.0,
                channels=(),
                children=children,
            )

        return branch(
            "engine",
            "ONE_FOR_ONE",
            tuple(branch(name, "REST_FOR_ONE", tuple(map(worker, below))) for name, below in ACTORS.items()),
        )

    def connections(self) -> tuple[ConnectionView, ...]:
        return tuple(
            ConnectionView(
                name=f"connection_{name}",
                uri="ws://127.0.0.1:0/ws/2",
                status=self.lines.get(name, "up"),
                session=1,
                reconnects=self.restarts.get(f"connection_{name}", 0),
                last_error=None,
                frames=self.minute * 31,
                subscriptions=8 if name == "public" else 1,
                venue_ms=self.now_ms,
                last_frame_age_s=0.2,
            )
            for name in ("public", "private")
        )

    def freshness(self) -> tuple[Freshness, ...]:
        rows = []
        for symbol in SYMBOLS:
            for stream, timeframe, limit in (
                ("ticker", "", 30_000),
                ("candles", "1m", 120_000),
                ("candles", "5m", 120_000),
            ):
                age = int(abs(self.chance.gauss(3000, 4000)))
                rows.append(
                    Freshness(
                        stream=stream, symbol=symbol, timeframe=timeframe, age_ms=age, limit_ms=limit, stale=age > limit
                    )
                )
        return tuple(rows)

    def status(self) -> EngineStatus:
        fraction = min(1.0, self.minute / 2000)
        return EngineStatus(
            mode="sim",
            version="0.1.0",
            uptime_s=round(trio.current_time() - self.started, 1),
            venue_ms=self.now_ms,
            speed="60",
            replay=ReplayProgress(
                recording="crash-2018-02",
                start_ms=START_MS,
                end_ms=START_MS + 2000 * MINUTE_MS,
                at_ms=self.now_ms,
                fraction=fraction,
                done=fraction >= 1,
            ),
            symbols=tuple(SYMBOLS),
            timeframes=tuple(TIMEFRAMES),
            settings_version=1,
        )

    # --- what the page may do -----------------------------------------------------------------------------------

    async def on_risk(self, command: RiskCommand) -> bool:
        match command:
            case SetTradingState():
                self.state, self.reason = command.state, command.reason
                level = "info" if command.state is TradingState.ACTIVE else "alarm"
                text = f"trading state is {command.state.value}: {command.reason}"
                self.tell(Notice(level=level, code="trading_state", text=text, at_ms=self.now_ms))
            case SetPaused():
                self.paused = command.paused
            case ManualOrder():
                await self.on_order(command)
        return True

    async def on_order(self, order: ManualOrder) -> Verdict | None:
        intent = order.intent
        return self.judge("manual", intent.symbol, intent.side, intent.quantity, intent.purpose, intent.intent_id)

    async def on_cancel(self, wish: CancelIntent) -> None:
        self.cancel(wish)

    async def on_flatten(self, wish: Flatten) -> None:
        done = FlattenView(
            flatten_id=wish.correlation_id, symbol=wish.symbol, left=(), given_up=(), last_cid=self.number
        )
        self.flattens = (*self.flattens, done)
        for symbol, quantity in self.held.items():
            if quantity and wish.symbol in (None, symbol):
                self.judge("manual", symbol, Side.SELL, quantity, Purpose.FLATTEN, wish.correlation_id + symbol)

    async def on_kill(self, path: str) -> bool:
        name = path.rsplit("/", 1)[-1]
        if not any(name in below for below in ACTORS.values()):
            return False
        self.restarts[name] = self.restarts.get(name, 0) + 1
        self.errors[name] = "Killed: asked over the API"
        self.tell(Notice(level="warning", code="restart", text=f"{name} crashed and is back", at_ms=self.now_ms))
        return True

    def readers(self) -> Readers:
        recent = self.recent
        return Readers(
            status=self.status,
            tickers=recent.tickers,
            candles=recent.candles,
            account=recent.account,
            orders=recent.orders,
            fills=recent.fills,
            day_start_equity=lambda: Decimal("10000"),
            books=lambda: strategy_books(recent.fills(), {}),
            signals=recent.signals,
            verdicts=recent.verdicts,
            risk=self.risk,
            actors=self.actors,
            connections=self.connections,
            freshness=self.freshness,
            equity=recent.equity,
            notices=recent.notices,
            flattens=lambda: self.flattens,
        )

    def controls(self) -> Controls:
        return Controls(
            order=self.on_order,
            cancel=self.on_cancel,
            flatten=self.on_flatten,
            risk=self.on_risk,
            kill_actor=self.on_kill,
        )

    async def live(self, second_s: float) -> None:
        poll = Poll(readers=self.readers(), hub=self.hub)
        while True:
            self.step()
            poll.look()
            await trio.sleep(second_s)


async def serve(
    demo: Demo,
    *,
    port: int = 0,
    minute_s: float = 0.5,
    dev: bool = False,
    task_status: trio.TaskStatus[tuple[Site, Tokens]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the demo until cancelled; says its site and its mint once it listens."""
    demo.started = trio.current_time()
    for _ in range(HISTORY):
        demo.step()
    listeners = await open_listeners("127.0.0.1", port)
    counters = ServerCounters()
    clock = TrioClock()
    keyring = new_keyring(secrets.token_bytes)
    tokens = Tokens(keyring=keyring, clock=clock, random_bytes=secrets.token_bytes, dev=dev)
    app = create_app(
        readers=demo.readers(),
        controls=demo.controls(),
        tokens=tokens,
        clock=clock,
        chance=random.Random(1),  # noqa: S311
        hosts=hosts_for((), port_of(listeners)),
        hub=demo.hub,
        server_counters=counters,
    )
    site = Site(app=app, listeners=listeners, counters=counters)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(demo.live, minute_s)
            task_status.started((site, tokens))
            while True:
                # Setting `stopping` shows the page what a restart of the web looks like.
                demo.stopping = trio.Event()
                await site.serve(demo.stopping)
                if demo.held_down is None:
                    await trio.sleep(2)
                else:
                    await demo.held_down.wait()
    finally:
        await site.aclose()


async def main(port: int) -> None:
    async with trio.open_nursery() as nursery:
        site, tokens = await nursery.start(lambda task_status: serve(Demo(), port=port, task_status=task_status))
        print(f"http://127.0.0.1:{site.port}/?ticket={tokens.ticket().text}", flush=True)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, default=8010)
    try:
        trio.run(main, arguments.parse_args().port)
    except* KeyboardInterrupt:
        pass
