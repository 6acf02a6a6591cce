"""The risk machine: no wish becomes an order without a verdict, and no verdict is given twice.

It sees scores, account states, commands and settings, and depends on nothing else: not on tickers, not on a clock. Time
is the newest candle end it has heard of. One state goes in and out of the journal whole; with it, the same inputs give
the same verdicts after any crash.
"""

from collections.abc import Iterable
from decimal import Decimal

import attrs
import msgspec

from genesis.domain.decision_log import verdict_record
from genesis.domain.pairs import PairSpecs
from genesis.domain.risk_rules import judge
from genesis.domain.risk_rules.account import CASH_MARGIN
from genesis.domain.risk_rules.activity import MINUTE_MS
from genesis.domain.risk_rules.losses import lost_fraction
from genesis.domain.risk_sizing import default_bracket, entry_quantity, exit_quantity
from genesis.domain.risk_state import (
    ENTRY_PURPOSES,
    Facts,
    Reservation,
    RiskState,
    Wish,
    base_balance,
    cash,
    equity,
    held_quantity,
)
from genesis.domain.trading_day import trading_day
from protocols.journal import CellWrite, Record
from protocols.orders import Approved, Bracket, OrderIntent, OrderType, Purpose
from protocols.risk import (
    AccountState,
    ManualOrder,
    RiskCommand,
    RiskStatus,
    SetPaused,
    SetTradingState,
    TradingState,
    Verdict,
)
from protocols.settings import Settings
from protocols.signals import Recommendation, SignalScore
from protocols.units import AMOUNT_STEP, ZERO, Side, Symbol, exact, plain

RISK_TABLE = "risk_state"
RISK_KEY = "state"

_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER = msgspec.json.Decoder(RiskState)
_REMEMBERED_VERDICTS = 512


@attrs.frozen(kw_only=True)
class RiskOutputs:
    """What follows of one input. `records` and the state must be durable before `approved` is told to anybody.

    `repeated` verdicts were given before: they are said again, and their records are already kept.
    """

    verdicts: tuple[Verdict, ...] = ()
    approved: tuple[Approved, ...] = ()
    records: tuple[Record, ...] = ()
    repeated: bool = False


class RiskMachine:
    def __init__(self, settings: Settings, pairs: PairSpecs | None = None) -> None:
        self.settings = settings
        self.state = RiskState()
        self._pairs: PairSpecs = pairs or {}
        self._symbols = _symbols(settings)
        self._verdicts: dict[str, Verdict] = {}
        # More orders ended between two account states than one state names: look them up and say `release_ended`.
        self.endings_missed = False

    # --- inputs -----------------------------------------------------------------------------------------------------

    def on_settings(self, settings: Settings) -> None:
        self.settings = settings
        self._symbols = _symbols(settings)

    def on_pairs(self, pairs: PairSpecs) -> None:
        self._pairs = pairs

    def on_account(self, account: AccountState) -> None:
        """Newer facts; intents that ended free what was reserved for them."""
        state = self.state
        self.endings_missed = account.closed_count - state.closed_count > len(account.closed_intents)
        state.account = account
        state.closed_count = account.closed_count
        self.release_ended(account.closed_intents)

    def on_score(self, score: SignalScore) -> RiskOutputs:
        state = self.state
        if score.candle_open_ms <= state.judged.get(score.strategy, -1):
            return self._repeat(_intent_ids(score))
        state.judged[score.strategy] = score.candle_open_ms
        state.now_ms = max(state.now_ms, score.decided_ms)
        state.marks[score.symbol] = exact(score.price)
        self._begin_day()
        owed = _owed_key(score.strategy, score.symbol)
        if score.recommendation is Recommendation.BUY:
            state.exits_owed.pop(owed, None)
        if score.catch_up:
            # History asks for nothing, so that what we decide does not depend on whether the account was known by then.
            # Only what we hold may be given back.
            may_close = held_quantity(state.account, score.symbol) != 0 or bool(self._working(score.symbol))
            return self._close(score) if score.recommendation is Recommendation.SELL and may_close else RiskOutputs()
        self._follow_equity()
        if score.recommendation is Recommendation.BUY:
            wish = self._entry(score)
            return self._conclude(self._verdict(wish), wish)
        if score.recommendation is Recommendation.SELL or owed in state.exits_owed:
            return self._close(score)
        return RiskOutputs()

    def on_command(self, command: RiskCommand) -> RiskOutputs:
        state = self.state
        match command:
            case SetTradingState():
                if command.state is TradingState.ACTIVE and state.trading is not TradingState.ACTIVE:
                    # Resuming is somebody's decision to live with the drawdown so far: it is measured from here on.
                    state.peak_equity = self.equity if self.account_known else None
                state.trading = command.state
                state.trading_reason = command.reason
                return RiskOutputs(records=(_command_record(command, state.now_ms),))
            case SetPaused():
                state.paused = command.paused
                state.paused_reason = command.reason
                return RiskOutputs(records=(_command_record(command, state.now_ms),))
            case ManualOrder():
                return self._manual(command)

    def evaluate(self, intent: OrderIntent) -> Verdict:
        """What would be said to this order now, without saying it."""
        return self._verdict(self._wish_of(intent))

    def release_ended(self, intent_ids: Iterable[str]) -> None:
        """Free what was reserved for orders that ended. An exit that left something to close is owed again.

        It may have been refused, withdrawn by a restart or proven absent: the strategy has said its word and will not
        say it twice, so a position would stay open for nobody.
        """
        for intent_id in intent_ids:
            reservation = self.state.reservations.pop(intent_id, None)
            if reservation is not None and reservation.intent.purpose is Purpose.EXIT and self._is_left(reservation):
                self.state.exits_owed.setdefault(_owed_key(reservation.intent.strategy, reservation.intent.symbol), ())

    def _is_left(self, exit_: Reservation) -> bool:
        """Whether an order as small as the venue takes could still close some of what this one was for."""
        intent = exit_.intent
        facts = self._facts(intent.symbol, intent.side, Purpose.EXIT, ZERO)
        minimum = max(facts.pair.minimum, AMOUNT_STEP) if facts.pair is not None else AMOUNT_STEP
        return facts.held * intent.side.sign < 0 and exit_quantity(facts) >= minimum

    def release_unsent(self, intent_ids: Iterable[str]) -> None:
        """Forget approvals that never reached the order actor (the process died in between).

        An entry is gone with its moment; an exit is owed again.
        """
        for intent_id in intent_ids:
            reservation = self.state.reservations.pop(intent_id, None)
            if reservation is not None and reservation.intent.purpose is Purpose.EXIT:
                self.state.exits_owed[_owed_key(reservation.intent.strategy, reservation.intent.symbol)] = ()

    # --- what it keeps ----------------------------------------------------------------------------------------------

    def checkpoint(self) -> CellWrite:
        return CellWrite(table=RISK_TABLE, key=RISK_KEY, payload=_ENCODER.encode(self.state))

    def restore(self, cells: Iterable[CellWrite]) -> None:
        for cell in cells:
            if cell.key == RISK_KEY:
                self.state = _DECODER.decode(cell.payload)

    def forget_account(self) -> None:
        """After a restart of the process nobody knows what the venue did meanwhile, until the account actor says."""
        if self.state.account is not None:
            self.state.account = msgspec.structs.replace(self.state.account, known=False)

    def open_approvals(self) -> tuple[Approved, ...]:
        """Every approved intent that has not ended, oldest first."""
        return tuple(_approval(reservation) for reservation in self.state.reservations.values())

    # --- what it knows ----------------------------------------------------------------------------------------------

    @property
    def account_known(self) -> bool:
        return self.state.account is not None and self.state.account.known

    @property
    def equity(self) -> Decimal:
        wallets = self.state.account.wallets if self.state.account is not None else ()
        return equity(wallets, self.state.marks, self.settings.quote_currency)

    def status(self) -> RiskStatus:
        state, limits, worth = self.state, self.settings.risk, self.equity
        facts = self._facts(Symbol(""), Side.BUY, Purpose.ENTRY, ZERO)
        used = {
            "daily_loss": (round(lost_fraction(state.day_start_equity, worth), 6), limits.max_daily_loss),
            "drawdown": (round(lost_fraction(state.peak_equity, worth), 6), limits.max_drawdown),
            "gross_exposure": (facts.gross_notional, limits.max_gross_exposure),
            "open_positions": (Decimal(len(facts.open_symbols)), Decimal(limits.max_open_positions)),
            "trades_per_day": (Decimal(state.trades_today), Decimal(limits.max_trades_per_day)),
            "orders_per_minute": (Decimal(len(self._recent_orders())), Decimal(limits.max_orders_per_minute)),
        }
        return RiskStatus(
            state=state.trading,
            reason=state.trading_reason,
            paused=state.paused,
            trades_today=state.trades_today,
            trades_today_by_symbol=dict(state.trades_today_by_symbol),
            day=state.day,
            day_start_equity=state.day_start_equity or ZERO,
            peak_equity=state.peak_equity or ZERO,
            headroom={name: (plain(now), plain(allowed)) for name, (now, allowed) in used.items()},
            denials_by_code=dict(state.denials_by_code),
            settings_version=self.settings.version,
        )

    # --- deciding ---------------------------------------------------------------------------------------------------

    def _entry(self, score: SignalScore) -> Wish:
        facts = self._facts(score.symbol, Side.BUY, Purpose.ENTRY, ZERO)
        price = self.state.marks[score.symbol]
        atr = score.features.get("atr")
        bracket = default_bracket(self.settings.risk, price, None if atr is None else exact(atr))
        quantity = entry_quantity(self.settings.risk, facts, price)
        return self._wish(score, Side.BUY, Purpose.ENTRY, quantity, bracket)

    def _exit(self, score: SignalScore) -> Wish:
        side = Side.BUY if held_quantity(self.state.account, score.symbol) < 0 else Side.SELL
        facts = self._facts(score.symbol, side, Purpose.EXIT, ZERO)
        return self._wish(score, side, Purpose.EXIT, exit_quantity(facts))

    def _close(self, score: SignalScore) -> RiskOutputs:
        """Judge an exit. One that should happen and may not is owed, and tried again until a signal says BUY."""
        state = self.state
        key = _owed_key(score.strategy, score.symbol)
        before = state.exits_owed.pop(key, None)
        wish = self._exit(score)
        verdict = self._verdict(wish)
        codes = tuple(result.code.value for result in verdict.denials if result.code is not None)
        something_left = (
            not self.account_known
            or held_quantity(state.account, score.symbol) != 0
            or bool(self._working(score.symbol))
        )
        if codes and something_left:
            state.exits_owed[key] = codes
        if score.recommendation is Recommendation.HOLD and codes and (codes == before or not something_left):
            # The same refusal for the same reasons, or nothing left to close, is not news.
            return RiskOutputs()
        return self._conclude(verdict, wish)

    def _wish(
        self, score: SignalScore, side: Side, purpose: Purpose, quantity: Decimal, bracket: Bracket | None = None
    ) -> Wish:
        intent = None
        if quantity > 0:
            intent = OrderIntent(
                intent_id=f"{score.signal_id}:{purpose.value}",
                strategy=score.strategy,
                symbol=score.symbol,
                side=side,
                quantity=quantity,
                order_type=OrderType.MARKET,
                purpose=purpose,
                decided_ms=score.decided_ms,
                correlation_id=score.correlation_id,
                signal_id=score.signal_id,
                received_ns=score.received_ns,
                bracket=bracket,
            )
        return Wish(
            intent_id=f"{score.signal_id}:{purpose.value}",
            strategy=score.strategy,
            symbol=score.symbol,
            side=side,
            purpose=purpose,
            quantity=quantity,
            price=self.state.marks[score.symbol],
            decided_ms=score.decided_ms,
            correlation_id=score.correlation_id,
            signal_id=score.signal_id,
            catch_up=score.catch_up,
            lag_ms=self.state.now_ms - score.decided_ms,
            intent=intent,
        )

    def _wish_of(self, intent: OrderIntent) -> Wish:
        return Wish(
            intent_id=intent.intent_id,
            strategy=intent.strategy,
            symbol=intent.symbol,
            side=intent.side,
            purpose=intent.purpose,
            quantity=intent.quantity,
            price=intent.price or self.state.marks.get(intent.symbol, ZERO),
            decided_ms=intent.decided_ms,
            correlation_id=intent.correlation_id,
            signal_id=intent.signal_id,
            intent=intent,
        )

    def _facts(self, symbol: Symbol, side: Side, purpose: Purpose, quantity: Decimal) -> Facts:
        state = self.state
        held = held_quantity(state.account, symbol)
        notional_by_symbol: dict[str, Decimal] = {}
        for position in state.account.positions if state.account is not None else ():
            if position.quantity != 0:
                price = state.marks.get(position.symbol, position.average_price)
                notional_by_symbol[position.symbol] = abs(position.quantity) * price
        reserved_cash = ZERO
        for reservation in state.reservations.values():
            if not reservation.reduces:
                at = reservation.intent.symbol
                notional_by_symbol[at] = notional_by_symbol.get(at, ZERO) + reservation.notional
                if reservation.intent.side is Side.BUY:
                    reserved_cash += reservation.notional * CASH_MARGIN
        against = (held > 0 and side is Side.SELL) or (held < 0 and side is Side.BUY)
        return Facts(
            now_ms=state.now_ms,
            account_known=self.account_known,
            price_known=state.marks.get(symbol, ZERO) > 0,
            symbol_known=symbol in self._symbols,
            equity=self.equity,
            free_cash=cash(state.account, self.settings.quote_currency) - reserved_cash,
            held=held,
            base_balance=base_balance(state.account, symbol) or ZERO,
            position_notional=notional_by_symbol.get(symbol, ZERO),
            gross_notional=sum(notional_by_symbol.values(), ZERO),
            open_symbols=frozenset(notional_by_symbol),
            working=self._working(symbol),
            reduces=purpose not in ENTRY_PURPOSES or (against and quantity <= abs(held)),
            pair=self._pairs.get(symbol),
        )

    def _working(self, symbol: str) -> tuple[OrderIntent, ...]:
        return tuple(kept.intent for kept in self.state.reservations.values() if kept.intent.symbol == symbol)

    def _verdict(self, wish: Wish) -> Verdict:
        facts = self._facts(wish.symbol, wish.side, wish.purpose, wish.quantity)
        trace = judge(self.state, self.settings, facts, wish)
        return Verdict(
            verdict_id=wish.intent_id,
            strategy=wish.strategy,
            symbol=wish.symbol,
            side=wish.side,
            approved=all(result.passed for result in trace),
            intent=wish.intent,
            trace=trace,
            decided_ms=wish.decided_ms,
            signal_id=wish.signal_id,
            settings_version=self.settings.version,
            correlation_id=wish.correlation_id,
        )

    def _conclude(self, verdict: Verdict, wish: Wish) -> RiskOutputs:
        """Count what was decided and remember it."""
        state = self.state
        approved: tuple[Approved, ...] = ()
        if verdict.approved and verdict.intent is not None:
            facts = self._facts(wish.symbol, wish.side, wish.purpose, wish.quantity)
            reservation = Reservation(
                intent=verdict.intent,
                notional=wish.quantity * wish.price,
                reduces=facts.reduces,
                settings_version=verdict.settings_version,
            )
            state.reservations[verdict.verdict_id] = reservation
            state.order_times_ms = [*self._recent_orders(), state.now_ms]
            if not reservation.reduces:
                state.trades_today += 1
                state.trades_today_by_symbol[wish.symbol] = state.trades_today_by_symbol.get(wish.symbol, 0) + 1
            approved = (_approval(reservation),)
        for result in verdict.denials:
            if result.code is not None:
                state.denials_by_code[result.code.value] = state.denials_by_code.get(result.code.value, 0) + 1
        self._remember(verdict)
        return RiskOutputs(verdicts=(verdict,), approved=approved, records=(verdict_record(verdict),))

    def _manual(self, command: ManualOrder) -> RiskOutputs:
        intent = command.intent
        if intent.intent_id in self.state.manual:
            return self._repeat((intent.intent_id,))
        wish = self._with_stop(self._wish_of(intent))
        verdict = self._verdict(wish)
        outputs = self._conclude(verdict, wish)
        self.state.manual[intent.intent_id] = verdict.approved
        while len(self.state.manual) > _REMEMBERED_VERDICTS:
            self.state.manual.pop(next(iter(self.state.manual)))
        return attrs.evolve(outputs, records=(_command_record(command, self.state.now_ms), *outputs.records))

    def _with_stop(self, wish: Wish) -> Wish:
        """What a person opens gets the stop of the settings, unless the order brings its own."""
        facts = self._facts(wish.symbol, wish.side, wish.purpose, wish.quantity)
        intent = wish.intent
        against = facts.held != 0 and (facts.held > 0) != (wish.side is Side.BUY)
        sells_coins = wish.side is Side.SELL and (intent is None or not intent.margin)
        if intent is None or intent.reduce_only or against or sells_coins or wish.price <= 0:
            return wish
        asked = intent.bracket or Bracket()
        usual = default_bracket(self.settings.risk, wish.price, None)
        if asked.has_stop or usual is None or not usual.has_stop:
            return wish
        bracket = msgspec.structs.replace(asked, stop_distance=usual.stop_distance)
        return attrs.evolve(wish, intent=msgspec.structs.replace(intent, bracket=bracket))

    def _repeat(self, intent_ids: Iterable[str]) -> RiskOutputs:
        """Say the same again: the verdict while it is remembered, the approval while its order has not ended."""
        verdicts = tuple(self._verdicts[intent_id] for intent_id in intent_ids if intent_id in self._verdicts)
        approved = tuple(
            _approval(self.state.reservations[intent_id])
            for intent_id in intent_ids
            if intent_id in self.state.reservations
        )
        return RiskOutputs(verdicts=verdicts, approved=approved, repeated=True)

    def _remember(self, verdict: Verdict) -> None:
        self._verdicts[verdict.verdict_id] = verdict
        while len(self._verdicts) > _REMEMBERED_VERDICTS:
            self._verdicts.pop(next(iter(self._verdicts)))

    # --- time -------------------------------------------------------------------------------------------------------

    def _begin_day(self) -> None:
        state = self.state
        day = trading_day(state.now_ms, self.settings.risk.day_timezone)
        if day != state.day:
            state.day = day
            state.day_start_equity = None
            state.trades_today = 0
            state.trades_today_by_symbol = {}

    def _follow_equity(self) -> None:
        """Note what the day began with, and the peak; both wait for the account to be known."""
        state = self.state
        if not self.account_known:
            return
        worth = self.equity
        if state.day_start_equity is None:
            state.day_start_equity = worth
        # While an order works, half of a trade may be in the wallets and half not: no peak is made of that.
        if state.peak_equity is None or (worth > state.peak_equity and not state.reservations):
            state.peak_equity = worth

    def _recent_orders(self) -> list[int]:
        return [time_ms for time_ms in self.state.order_times_ms if time_ms > self.state.now_ms - MINUTE_MS]


def _symbols(settings: Settings) -> frozenset[str]:
    return frozenset(settings.market.symbols)


def _owed_key(strategy: str, symbol: str) -> str:
    return f"{strategy} {symbol}"


def _intent_ids(score: SignalScore) -> tuple[str, ...]:
    return tuple(f"{score.signal_id}:{purpose.value}" for purpose in (Purpose.ENTRY, Purpose.EXIT))


def _approval(reservation: Reservation) -> Approved:
    return Approved(intent=reservation.intent, settings_version=reservation.settings_version)


def _command_record(command: RiskCommand, at_ms: int) -> Record:
    """Who turned which switch, for the audit."""
    correlation_id = command.intent.correlation_id if isinstance(command, ManualOrder) else command.correlation_id
    return Record(
        kind=type(command).__name__,
        key=None,
        payload=_ENCODER.encode(command),
        correlation_id=correlation_id,
        at_ms=at_ms,
    )
