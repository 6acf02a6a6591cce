"""The risk machine: no wish becomes an order without a verdict, and no verdict is given twice.

It sees scores, account states, commands and settings, and depends on nothing else: not on tickers, not on a clock. Time
is the newest candle end it has heard of; prices are those of scores, and of account states where no strategy speaks.
One state goes in and out of the journal whole; with it, the same inputs give the same verdicts after any crash.
"""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from functools import partial

import msgspec

from genesis.domain import risk_breakers, risk_changes, risk_marks, risk_protections, risk_unwanted
from genesis.domain.account_sheet import AccountSheet, sheet_of
from genesis.domain.decision_log import shadow_record
from genesis.domain.pairs import PairSpecs
from genesis.domain.risk_facts import Grounds, exposure_at, facts_at, grounds_of
from genesis.domain.risk_history import RiskHistory, settle
from genesis.domain.risk_judgement import Judgement
from genesis.domain.risk_outputs import NOTHING, Change, notice_of, record_of
from genesis.domain.risk_outputs import RiskOutputs as RiskOutputs
from genesis.domain.risk_ready import ReadyGrounds
from genesis.domain.risk_rules import judge, judge_at_once, write_at_once
from genesis.domain.risk_rules.activity import MINUTE_MS
from genesis.domain.risk_sizing import default_bracket, entry_quantity, exit_quantity, trust_of
from genesis.domain.risk_state import Facts, Reservation, RiskState, Wish, heard_before, held_quantity, owned_quantity
from genesis.domain.risk_status import status_of
from genesis.domain.risk_switches import is_as_careful, turn
from genesis.domain.risk_wishes import wish_of_order, wish_of_score
from genesis.domain.targeting import settings_for, shadow_for
from genesis.domain.trading_breaker import TradingBreaker
from genesis.domain.trading_day import QUARTER_MS
from genesis.domain.volatility import Volatility
from protocols.journal import AnyRecord, CellWrite, LateCell
from protocols.orders import Approved, ApprovedChange, Bracket, OrderIntent, Purpose
from protocols.risk import (
    AccountState,
    BreakerChanged,
    BreakerState,
    ChangeOrder,
    EntryUnwanted,
    EvaluateOrder,
    LockAdded,
    ManualOrder,
    MarketCondition,
    MarketPrice,
    RiskCommand,
    RiskStatus,
    SetTradingState,
    Verdict,
)
from protocols.settings import Settings
from protocols.signals import Recommendation, SignalScore, StrategyFailed
from protocols.units import AMOUNT_STEP, TIMEFRAME_MS, ZERO, Side, Symbol

RISK_TABLE = "risk_state"
RISK_KEY = "state"

_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER = msgspec.json.Decoder(RiskState)
REMEMBERED = 512
_AHEAD_MS = 3_600_000
"""How far a person's order may move venue time on: in a replay a wall clock is years ahead, and must not."""

_BUY, _SELL = Side.BUY, Side.SELL
_SAYS_BUY, _SAYS_SELL, _SAYS_HOLD = Recommendation.BUY, Recommendation.SELL, Recommendation.HOLD
_ENTRY, _EXIT = Purpose.ENTRY, Purpose.EXIT


class RiskMachine:
    def __init__(self, settings: Settings, pairs: PairSpecs | None = None) -> None:
        self.settings = settings
        self.state = RiskState()
        self.pairs: PairSpecs = pairs or {}
        self._symbols = _symbols(settings)
        self._targeted: dict[tuple[str, str], Settings] = {}
        self._judgements: dict[str, Judgement] = {}
        self._changes: list[Change] = []
        self._voices = risk_unwanted.voices_of(settings)
        self._void: tuple[EntryUnwanted, ...] = ()
        """Entries that nobody wants since time has passed: told with what follows of the input that told the time."""
        self._sheet: AccountSheet | None = None
        self._judge = judge
        self._ready = ReadyGrounds()
        # No day begins within a quarter of an hour: the day that was found in it, by the present settings.
        self._quarter, self._day = -1, ""
        # More orders ended between two account states than one names: look them up and say `release_ended`.
        self.endings_missed = False

    def have_orders_wait(self) -> None:
        """From now on orders wait for what is said here: be quick with those that are let through. Takes some ten
        milliseconds, the first time in a process."""
        write_at_once()
        self._judge = judge_at_once

    def prepare(self) -> None:
        """Work out now, while nobody waits, what the next wishes will rest on. What is said to them is the same."""
        if all([breaker.state is BreakerState.CLOSED for breaker in self.state.breakers.values()]):
            # Else time changes what a breaker says.
            self._ready.prepare(self.settings, self._sheet_now(), self._settings_of, self._grounds)

    # --- inputs -----------------------------------------------------------------------------------------------------

    def on_settings(self, settings: Settings) -> RiskOutputs:
        """Newer settings, or those that a life begins with. Their records are the config actor's."""
        self.settings = settings
        self._symbols = _symbols(settings)
        self._voices = risk_unwanted.voices_of(settings)
        self._targeted.clear()
        self._quarter = -1
        self._ready.forget()
        if not self.state.reservations:
            return NOTHING
        silent = risk_unwanted.after_settings(self.state, settings, self._voices)
        return risk_unwanted.with_unwanted(NOTHING, (*silent, *self._outside_windows()))

    def on_pairs(self, pairs: PairSpecs) -> None:
        self.pairs = pairs
        self._ready.forget()

    def on_account(self, account: AccountState) -> RiskOutputs:
        """Newer facts; intents that ended free what was reserved for them, and finished trades may lock."""
        self._ready.forget()
        state, limits = self.state, self.settings.risk
        if any([intent_id in account.closed_intents for intent_id in state.reservations]):
            # Else nothing that ended was waited for.
            self._note_breakers(risk_breakers.hear_endings(state, limits, account.endings, state.now_ms))
        self.endings_missed = account.closed_count - state.closed_count > len(account.closed_intents)
        # What was taken in is not written down again with every state from here on.
        state.account = msgspec.structs.replace(
            account, closed_intents=(), results=(), endings=(), changes=(), prices=()
        )
        state.closed_count = account.closed_count
        self._changes += risk_marks.move_with(state, account.flows)
        if account.prices:
            self._hear_prices(account.prices)
        self.release_ended(account.closed_intents)
        for told in account.changes:
            if told.intent_id in state.reservations:
                state.reservations[told.intent_id] = risk_changes.settled(state.reservations[told.intent_id], told)
        self._changes += [LockAdded(lock=lock) for lock in risk_protections.hear_results(state, limits, account)]
        return self._with_changes(NOTHING)

    def _hear_prices(self, prices: Iterable[MarketPrice]) -> None:
        """Of markets without a voice. Where no strategy is enabled at all, nobody else tells how time passes."""
        state = self.state
        self._changes += risk_marks.take_told_prices(state, self.settings, prices, lambda: self.equity)
        if not any([strategy.enabled for strategy in self.settings.strategies]):
            self._advance(max([told.at_ms for told in prices]))
            if self.account_known:
                self._changes += risk_marks.follow_equity(state, self.equity)

    def on_condition(self, condition: MarketCondition) -> RiskOutputs:
        """A fact from outside the scores: kept with what it did."""
        self._ready.forget()
        state = self.state
        self._note_breakers(risk_breakers.hear_condition(state, self.settings.risk, condition, state.now_ms))
        return self._with_changes(RiskOutputs(turned=(record_of(condition, state.now_ms, condition.correlation_id),)))

    def on_failure(self, failed: StrategyFailed) -> RiskOutputs:
        """A strategy of ours is off, by its own doing."""
        self._ready.forget()
        outputs = RiskOutputs(turned=(record_of(failed, self.state.now_ms, failed.correlation_id),))
        return risk_unwanted.with_unwanted(outputs, risk_unwanted.after_failure(self.state, failed))

    def on_score(self, score: SignalScore) -> RiskOutputs:
        who, number = told_as(score)
        judged = self.state.judged
        if number <= judged.get(who, -1):
            return risk_unwanted.after_score(self.state, score, self._repeat(_intent_ids(score)), again=True)
        judged[who] = number
        outputs = self._judge_score(score)
        return self._with_changes(outputs) if self._changes or self._void else outputs

    def _judge_score(self, score: SignalScore) -> RiskOutputs:
        state, settings = self.state, self.settings
        risk_marks.take_price(state, score)
        self._advance(score.decided_ms)
        self._hear_market(score)
        recommendation = score.recommendation
        if recommendation is _SAYS_BUY and state.exits_owed:
            state.exits_owed.pop(_owed_key(score.strategy, score.symbol), None)
        if score.catch_up:
            # History asks for nothing, so that what we decide does not depend on whether the account was known by then.
            # Only what we hold may be given back.
            may_close = self._held_by(score) != 0 or bool(self._working(score.symbol))
            return self._close(score) if recommendation is _SAYS_SELL and may_close else NOTHING
        sheet = self._sheet_now()
        worth = sheet.worth(state.marks)
        if sheet.known:
            self._changes += risk_marks.follow_equity(state, worth)
        if recommendation is _SAYS_BUY:
            shadow = None
            if settings.overlays:
                # Flags and a rollout may give this pair other limits.
                shadow, settings = self._shadow(score), self._settings_of(score.symbol, score.strategy)
            wish, facts = self._entry(score, settings, worth)
            outputs = self._conclude(*self._judged(wish, settings, facts))
            return outputs if shadow is None else msgspec.structs.replace(outputs, shadows=(shadow,))
        if recommendation is _SAYS_SELL or (
            state.exits_owed and _owed_key(score.strategy, score.symbol) in state.exits_owed
        ):
            return self._close(score, worth)
        return NOTHING

    def on_command(self, command: RiskCommand) -> RiskOutputs:
        self._ready.forget()
        if isinstance(command, EvaluateOrder):
            return RiskOutputs(judgements=(self._asked(command.intent),), repeated=True)
        if isinstance(command, ManualOrder):
            return self._with_changes(self._manual(command))
        if isinstance(command, ChangeOrder):
            return self._with_changes(self._change(command))
        if heard_before(self.state, command.correlation_id):
            return risk_unwanted.after_switch(self.state, command, NOTHING, again=True)
        if isinstance(command, SetTradingState) and command.only_tighter and is_as_careful(self.state, command.state):
            # Not even kept as a record: the journal's last word is the latch.
            return NOTHING
        self._changes += turn(self.state, command, self.equity if self.account_known else None)
        outputs = RiskOutputs(turned=(record_of(command, self.state.now_ms, command.correlation_id),))
        return self._with_changes(risk_unwanted.after_switch(self.state, command, outputs))

    def evaluate(self, intent: OrderIntent) -> Verdict:
        """What would be said to this order now, without saying it."""
        return self._asked(intent).verdict

    def _asked(self, intent: OrderIntent) -> Judgement:
        return self._judged(wish_of_order(intent, self.state.marks))[0]

    def release_ended(self, intent_ids: Collection[str]) -> None:
        """Free what was reserved for orders that ended. An exit that left something to close is owed again.

        It may have been refused, withdrawn by a restart or proven absent: the strategy has said its word and will not
        say it twice, so a position would stay open for nobody.
        """
        self._ready.forget()
        state = self.state
        if not state.breakers:
            if not state.reservations:
                return
            # An account state names the last many; those that ended before have nothing left to free.
            waited = [intent_id for intent_id in state.reservations if intent_id in intent_ids]
            intent_ids = waited if len(waited) < 2 else [each for each in intent_ids if each in state.reservations]
        for intent_id in intent_ids:
            reservation = state.reservations.pop(intent_id, None)
            risk_breakers.forget_probe(state, intent_id)
            if reservation is not None and reservation.intent.purpose is Purpose.EXIT and self._is_left(reservation):
                state.exits_owed.setdefault(_owed_key(reservation.intent.strategy, reservation.intent.symbol), ())

    def _is_left(self, exit_: Reservation) -> bool:
        """Whether an order as small as the venue takes could still close some of what this one was for."""
        intent = exit_.intent
        facts = self._facts(intent.symbol, intent.side, Purpose.EXIT, ZERO, intent.strategy)
        minimum = max(facts.pair.minimum, AMOUNT_STEP) if facts.pair is not None else AMOUNT_STEP
        return facts.held * intent.side.sign < 0 and exit_quantity(facts) >= minimum

    def release_unsent(self, intent_ids: Iterable[str]) -> None:
        """Forget approvals that never reached the order actor (the process died in between).

        An entry is gone with its moment; an exit is owed again.
        """
        self._ready.forget()
        for intent_id in intent_ids:
            reservation = self.state.reservations.pop(intent_id, None)
            risk_breakers.forget_probe(self.state, intent_id)
            if reservation is not None and reservation.intent.purpose is Purpose.EXIT:
                self.state.exits_owed[_owed_key(reservation.intent.strategy, reservation.intent.symbol)] = ()

    def release_unheard(self, heard: Mapping[str, int]) -> tuple[str, ...]:
        """Forget approved changes that never reached the order actor; `heard` are the newest that it has taken, by
        intent. Gives the ids of those orders."""
        self._ready.forget()
        reservations, void = self.state.reservations, []
        for intent_id, kept in reservations.items():
            left = risk_changes.without_unheard(kept, heard.get(intent_id, 0))
            if left is not kept:
                reservations[intent_id] = left
                void.append(intent_id)
        return tuple(void)

    # --- what it keeps ----------------------------------------------------------------------------------------------

    def checkpoint(self) -> CellWrite:
        return CellWrite(table=RISK_TABLE, key=RISK_KEY, payload=_ENCODER.encode(self.state))

    def late_checkpoint(self) -> LateCell:
        """The checkpoint, to be written by the journal: nothing may be said to the machine until that has answered."""
        return late_checkpoint_of(self.state)

    def restore(self, cells: Iterable[CellWrite]) -> None:
        self._ready.forget()
        for cell in cells:
            if cell.key == RISK_KEY:
                self.state = _DECODER.decode(cell.payload)

    def settle(self, history: RiskHistory) -> tuple[str, ...]:
        """Compare what was kept with what the journal's records tell, and believe them. A line for each difference."""
        self._ready.forget()
        return settle(self.state, history)

    def forget_account(self) -> None:
        """After a restart of the process nobody knows what the venue did meanwhile, until the account actor says."""
        self._ready.forget()
        if self.state.account is not None:
            self.state.account = msgspec.structs.replace(self.state.account, known=False, told=False)

    def open_approvals(self) -> tuple[Approved, ...]:
        """Every approved intent that has not ended, oldest first."""
        return tuple(_approval(reservation) for reservation in self.state.reservations.values())

    def taken_back(self) -> tuple[EntryUnwanted, ...]:
        """Every entry that nobody wants any more and whose end is not known, in the words that were told."""
        return risk_unwanted.taken_back(self.state.reservations)

    # --- what it knows ----------------------------------------------------------------------------------------------

    @property
    def account_known(self) -> bool:
        return self._sheet_now().known

    @property
    def equity(self) -> Decimal:
        return self._sheet_now().worth(self.state.marks)

    def _sheet_now(self) -> AccountSheet:
        """The account as it is: made anew when it is another, which is seldom while somebody waits."""
        sheet, account, quote = self._sheet, self.state.account, self.settings.quote_currency
        if sheet is None or sheet.account is not account or sheet.quote != quote:
            sheet = self._sheet = sheet_of(account, quote)
        return sheet

    def status(self) -> RiskStatus:
        grounds = self._ready.any_of(self._sheet_now())
        if grounds is None:
            grounds = self._grounds(Symbol(""), _BUY, _ENTRY, "", self.settings)
        return status_of(self.state, self.settings, exposure_at(grounds, self.state.marks))

    # --- deciding ---------------------------------------------------------------------------------------------------

    def _settings_of(self, symbol: str, strategy: str) -> Settings:
        """The settings for one pair: flags and a rollout may give it other limits."""
        if not self.settings.overlays:
            return self.settings
        found = self._targeted.get((symbol, strategy))
        if found is None:
            found = self._targeted[symbol, strategy] = settings_for(self.settings, symbol, strategy)
        return found

    def _shadow(self, score: SignalScore) -> AnyRecord | None:
        """What a shadow would say to this entry, on the very facts that the real judgement has. It changes nothing."""
        settings = shadow_for(self.settings, score.symbol, score.strategy)
        if settings is None:
            return None
        return shadow_record(self._judged(self._entry(score, settings)[0], settings)[0].verdict)

    def _entry(self, score: SignalScore, settings: Settings, worth: Decimal | None = None) -> tuple[Wish, Facts | None]:
        """The wish, and the facts of its size where they are those of its judgement, too."""
        facts = self._facts_of(score, _BUY, _ENTRY, settings, worth)
        price = self.state.marks[score.symbol]
        bracket = default_bracket(settings.risk, price, score.features.get("atr"))
        quantity = entry_quantity(settings.risk, facts, price, trust_of(score))
        wish = wish_of_score(score, _BUY, _ENTRY, quantity, price, now_ms=self.state.now_ms, bracket=bracket)
        # Against what is held it may only take away, which its quantity decides.
        same = facts.held >= 0 and facts.now_ms == self._moment_of(wish.decided_ms)
        return wish, facts if same else None

    def _exit(self, score: SignalScore, worth: Decimal | None) -> tuple[Wish, Facts | None]:
        """The wish, and its facts where its judgement is at the same moment: what an exit weighs is not in them."""
        side = _BUY if held_quantity(self.state.account, score.symbol) < 0 else _SELL
        settings = self.settings if not self.settings.overlays else self._settings_of(score.symbol, score.strategy)
        facts = self._facts_of(score, side, _EXIT, settings, worth)
        state = self.state
        price = state.marks[score.symbol]
        wish = wish_of_score(score, side, _EXIT, exit_quantity(facts), price, now_ms=state.now_ms)
        return wish, facts if facts.now_ms == self._moment_of(wish.decided_ms) else None

    def _held_by(self, score: SignalScore) -> Decimal:
        return owned_quantity(self.state.account, score.symbol, score.strategy)

    def _close(self, score: SignalScore, worth: Decimal | None = None) -> RiskOutputs:
        """Judge an exit. One that should happen and may not is owed, and tried again until a signal says BUY."""
        state = self.state
        key = _owed_key(score.strategy, score.symbol)
        before = state.exits_owed.pop(key, None)
        wish, known = self._exit(score, worth)
        judgement, facts = self._judged(wish, facts=known)
        if judgement.denied:
            codes = tuple([rule.code.value for rule in judgement.denied])
            something_left = not self.account_known or self._held_by(score) != 0 or bool(self._working(score.symbol))
            if something_left:
                state.exits_owed[key] = codes
            if score.recommendation is _SAYS_HOLD and (codes == before or not something_left):
                # The same refusal for the same reasons, or nothing left to close, is not news.
                return NOTHING
        return risk_unwanted.after_score(state, score, self._conclude(judgement, facts))

    def _facts(
        self,
        symbol: Symbol,
        side: Side,
        purpose: Purpose,
        quantity: Decimal,
        strategy: str = "",
        at_ms: int | None = None,
        *,
        wish: Wish | None = None,
        settings: Settings | None = None,
    ) -> Facts:
        settings = settings or self._settings_of(symbol, strategy)
        grounds = grounds_of(
            self.state,
            settings,
            symbol=symbol,
            side=side,
            purpose=purpose,
            quantity=quantity,
            strategy=strategy,
            known_symbols=self._symbols,
            pairs=self.pairs,
            margin=wish is not None and wish.margin,
            reduce_only=wish is not None and wish.reduce_only,
            sheet=self._sheet_now(),
        )
        return facts_at(grounds, self.state, settings, self.pairs, self.state.now_ms if at_ms is None else at_ms)

    def _facts_of(
        self, score: SignalScore, side: Side, purpose: Purpose, settings: Settings, worth: Decimal | None
    ) -> Facts:
        """The facts of what a score asks for, before its size is known."""
        symbol, strategy, state = score.symbol, score.strategy, self.state
        grounds = None
        if not self._changes:
            # Else time or the price changed something that they rest on.
            grounds = self._ready.find(strategy, symbol, side, purpose, settings, self._sheet_now())
        if grounds is None:
            grounds = self._grounds(symbol, side, purpose, strategy, settings)
        return facts_at(grounds, state, settings, self.pairs, state.now_ms, worth)

    def _grounds(self, symbol: Symbol, side: Side, purpose: Purpose, strategy: str, settings: Settings) -> Grounds:
        return grounds_of(
            self.state,
            settings,
            symbol=symbol,
            side=side,
            purpose=purpose,
            quantity=ZERO,
            strategy=strategy,
            known_symbols=self._symbols,
            pairs=self.pairs,
            sheet=self._sheet_now(),
        )

    def _working(self, symbol: str) -> tuple[OrderIntent, ...]:
        return tuple(kept.intent for kept in self.state.reservations.values() if kept.intent.symbol == symbol)

    def _judged(
        self, wish: Wish, settings: Settings | None = None, facts: Facts | None = None
    ) -> tuple[Judgement, Facts]:
        """The judgement, and the facts that it rests on, which may be known already."""
        settings = settings or self._settings_of(wish.symbol, wish.strategy)
        if facts is None:
            facts = self._facts(
                wish.symbol,
                wish.side,
                wish.purpose,
                wish.quantity,
                wish.strategy,
                self._moment_of(wish.decided_ms),
                wish=wish,
                settings=settings,
            )
        denied = self._judge(settings, facts, wish)
        return Judgement(wish, settings, facts, denied, self.settings.version), facts

    def _conclude(self, judgement: Judgement, facts: Facts) -> RiskOutputs:
        """Count what was decided and remember it."""
        state, wish = self.state, judgement.wish
        intent = wish.intent
        approved: tuple[Approved, ...] = ()
        if intent is not None and not judgement.denied:
            self._ready.forget()
            now_ms, version, reduces = state.now_ms, judgement.settings_version, facts.reduces
            state.reservations[wish.intent_id] = Reservation(
                intent=intent,
                notional=wish.quantity * wish.price,
                reduces=reduces,
                settings_version=version,
                voiced=(wish.strategy, wish.symbol) in self._voices,
            )
            since_ms = now_ms - MINUTE_MS
            state.order_times_ms = [*[time_ms for time_ms in state.order_times_ms if time_ms > since_ms], now_ms]
            if not reduces:
                state.trades_today += 1
                state.trades_today_by_symbol[wish.symbol] = state.trades_today_by_symbol.get(wish.symbol, 0) + 1
                state.last_entry_ms[wish.symbol] = now_ms
                risk_marks.own(state, wish.strategy, wish.symbol, facts.equity)
                if state.breakers:
                    risk_breakers.try_with(state, wish.symbol, wish.intent_id)
            approved = (Approved(intent=intent, settings_version=version),)
        self._remember(judgement)
        return RiskOutputs(judgements=(judgement,), approved=approved)

    def _manual(self, command: ManualOrder) -> RiskOutputs:
        intent = command.intent
        if intent.intent_id in self.state.manual:
            return self._repeat((intent.intent_id,))
        self._advance(self._moment_of(intent.decided_ms))
        wish = self._with_stop(wish_of_order(intent, self.state.marks))
        judgement, facts = self._judged(wish)
        outputs = self._conclude(judgement, facts)
        return self._answered(command, judgement.approved, outputs)

    def _answered(self, command: ManualOrder | ChangeOrder, approved: bool, outputs: RiskOutputs) -> RiskOutputs:
        """A person's wish is judged once, however often it is heard."""
        asked, intent = self.state.manual, command.intent
        asked[intent.intent_id] = approved
        while len(asked) > REMEMBERED:
            asked.pop(next(iter(asked)))
        return msgspec.structs.replace(outputs, turned=(record_of(command, self.state.now_ms, intent.correlation_id),))

    def _change(self, command: ChangeOrder) -> RiskOutputs:
        """Judge a change that makes an order more as the order that it becomes, without what is reserved for the one
        that it is; and reserve the larger of the two."""
        state, name, change_id = self.state, command.update.intent_id, command.intent.intent_id
        kept = state.reservations.get(name)
        if change_id in state.manual:
            open_ = () if kept is None else [each.number for each in kept.changes if each.change_id == change_id]
            again = tuple(ApprovedChange(update=command.update, number=number) for number in open_)
            return msgspec.structs.replace(self._repeat((change_id,)), changed=again)
        if kept is None:
            # It ended, or was never approved: nothing of it may grow.
            return NOTHING
        self._advance(self._moment_of(command.intent.decided_ms))
        intent, reduces = risk_changes.order_after(kept, command), kept.reduces
        judgements: tuple[Judgement, ...] = ()
        if risk_changes.grows(kept, intent, command.rests):
            reservations = state.reservations
            state.reservations = {each: other for each, other in reservations.items() if each != name}
            judgement, facts = self._judged(wish_of_order(intent, self.state.marks))
            state.reservations = reservations
            judgements, reduces = (judgement,), facts.reduces
            self._remember(judgement)
            if not judgement.approved:
                return self._answered(command, False, RiskOutputs(judgements=judgements))
        state.reservations[name] = risk_changes.with_change(kept, intent, reduces=reduces)
        number = state.reservations[name].changes[-1].number
        changed = ApprovedChange(update=command.update, number=number)
        return self._answered(command, True, RiskOutputs(judgements=judgements, changed=(changed,)))

    def _with_stop(self, wish: Wish) -> Wish:
        """What a person opens gets the stop of the settings, unless the order brings its own."""
        facts = self._facts(wish.symbol, wish.side, wish.purpose, wish.quantity, wish=wish)
        intent = wish.intent
        against = facts.held != 0 and (facts.held > 0) != (wish.side is Side.BUY)
        sells_coins = wish.side is Side.SELL and (intent is None or not intent.margin)
        if intent is None or intent.reduce_only or against or sells_coins or wish.price <= 0:
            return wish
        asked = intent.bracket or Bracket()
        usual = default_bracket(self._settings_of(wish.symbol, wish.strategy).risk, wish.price, None)
        if asked.has_stop or usual is None or not usual.has_stop:
            return wish
        bracket = msgspec.structs.replace(asked, stop_distance=usual.stop_distance)
        return msgspec.structs.replace(wish, intent=msgspec.structs.replace(intent, bracket=bracket))

    def _repeat(self, intent_ids: Iterable[str]) -> RiskOutputs:
        """Say the same again: the verdict while it is remembered, the approval while its order has not ended."""
        judgements = tuple(self._judgements[intent_id] for intent_id in intent_ids if intent_id in self._judgements)
        approved = tuple(
            _approval(self.state.reservations[intent_id])
            for intent_id in intent_ids
            if intent_id in self.state.reservations
        )
        return RiskOutputs(judgements=judgements, approved=approved, repeated=True)

    def _remember(self, judgement: Judgement) -> None:
        """For whoever asks again, and among the refusals that are counted."""
        state = self.state
        for rule in judgement.denied:
            code = rule.code.value
            state.denials_by_code[code] = state.denials_by_code.get(code, 0) + 1
            state.denials_by_rule[rule.name] = state.denials_by_rule.get(rule.name, 0) + 1
        self._judgements[judgement.wish.intent_id] = judgement
        while len(self._judgements) > REMEMBERED:
            self._judgements.pop(next(iter(self._judgements)))

    # --- time -------------------------------------------------------------------------------------------------------

    def _advance(self, at_ms: int) -> None:
        """Venue time has come to `at_ms`: a day may begin, locks run out, breakers may be tried."""
        state, limits = self.state, self.settings.risk
        begins = state.now_ms == 0
        if at_ms > state.now_ms:
            state.now_ms = at_ms
        if begins:
            self._changes += [LockAdded(lock=lock) for lock in risk_protections.begin_locks(state, at_ms)]
        quarter = state.now_ms // QUARTER_MS
        if quarter != self._quarter or state.day is not self._day:
            risk_marks.begin_day(state, limits.day_timezone)
            self._ready.forget()
            self._quarter, self._day = quarter, state.day
        if state.locks:
            risk_protections.drop_expired(state)
        if state.breakers:
            self._note_breakers(risk_breakers.let_time_pass(state, limits, state.now_ms))
        if state.reservations:
            self._void += self._outside_windows()

    def _outside_windows(self) -> tuple[EntryUnwanted, ...]:
        if not (self.settings.risk.windows or self.settings.overlays):
            return ()
        return risk_unwanted.after_time(
            self.state, lambda symbol, strategy: self._settings_of(symbol, strategy).risk, self.state.now_ms
        )

    def _moment_of(self, decided_ms: int) -> int:
        """When a wish is judged: at its own moment if that is a little later than the newest candle's end."""
        now_ms = self.state.now_ms
        return decided_ms if now_ms < decided_ms <= now_ms + _AHEAD_MS else now_ms

    def _hear_market(self, score: SignalScore) -> None:
        """When the next candle is due, and how wild the market is."""
        if score.trade_id is not None:
            # A trade between two candles: no candle is due for it, and ranges were heard with the candle.
            return
        state, symbol, decided_ms = self.state, score.symbol, score.decided_ms
        if decided_ms == state.now_ms:
            due_ms = decided_ms + TIMEFRAME_MS.get(score.timeframe, MINUTE_MS)
            waiting_ms = state.due_ms.get(symbol, 0)
            # Of several time frames the shortest one tells first that something is missing.
            state.due_ms[symbol] = waiting_ms if decided_ms < waiting_ms < due_ms else due_ms
        atr = score.features.get("atr")
        if atr is not None:
            volatility = state.volatility.get(score.strategy)
            if volatility is None or volatility.symbol != symbol:
                volatility = state.volatility[score.strategy] = Volatility(symbol=symbol)
            volatility.hear(atr, score.price)
            limits = self.settings.risk
            if limits.breaker_volatility_ratio and not score.catch_up:
                self._note_breakers(risk_breakers.hear_volatility(state, limits, volatility, state.now_ms))

    def _note_breakers(self, changed: Iterable[TradingBreaker]) -> None:
        self._changes += [BreakerChanged(breaker=breaker.view()) for breaker in changed]

    def _with_changes(self, outputs: RiskOutputs) -> RiskOutputs:
        """Put what changed on the way before what was decided after it, as records and as words; and take back what
        nobody wants since then."""
        if self._void:
            void, self._void = self._void, ()
            outputs = risk_unwanted.with_unwanted(outputs, void)
        if not self._changes:
            return outputs
        self._ready.forget()
        changes, self._changes = self._changes, []
        records = tuple(record_of(change, self.state.now_ms, "risk") for change in changes)
        notices = tuple(notice for change in changes if (notice := notice_of(change)) is not None)
        outputs = risk_unwanted.with_unwanted(outputs, risk_unwanted.after_changes(self.state, changes))
        return msgspec.structs.replace(outputs, turned=(*records, *outputs.turned), notices=notices)


def late_checkpoint_of(state: RiskState) -> LateCell:
    """See `RiskMachine.late_checkpoint`."""
    return LateCell(table=RISK_TABLE, key=RISK_KEY, write=partial(_ENCODER.encode, state))


def told_as(score: SignalScore) -> tuple[str, int]:
    """What scores of one kind are told apart by, and in which order: candles by their stamps, ticks by their trades."""
    if score.trade_id is None:
        return score.strategy, score.candle_open_ms
    return f"{score.strategy} at trades", score.trade_id


def _symbols(settings: Settings) -> frozenset[str]:
    return frozenset(settings.market.symbols)


def _owed_key(strategy: str, symbol: str) -> str:
    return f"{strategy} {symbol}"


def _intent_ids(score: SignalScore) -> tuple[str, ...]:
    return tuple(f"{score.signal_id}:{purpose.value}" for purpose in (Purpose.ENTRY, Purpose.EXIT))


def _approval(reservation: Reservation) -> Approved:
    return Approved(intent=reservation.intent, settings_version=reservation.settings_version)
