"""How a rollout does, counted from the journal alone, and when it has proven itself or failed.

The meter hears the records that were written since the rollout began, in their order. It keeps nothing of its own:
after a restart the same records give the same figures, so a rollout goes on as if nothing had happened.
"""

from decimal import Decimal
from typing import Final

import attrs
import msgspec

from genesis.domain.decision_log import SHADOW_KIND, SIGNAL_KIND, VERDICT_KIND
from genesis.domain.paper_records import BEGAN, PAPER_FILL, PAPER_KINDS, PAPER_SCORE, PAPER_VERDICT, is_of
from genesis.domain.releases import overlay_of
from genesis.domain.targeting import covers
from protocols.config import Metric, Rollout, RolloutPlan, RolloutStatus
from protocols.journal import Record
from protocols.orders import Fill, OrderState, OrderUpdate
from protocols.risk import Verdict
from protocols.shadow import Comparison, ShadowBegan
from protocols.shadow import Side as SideFigures
from protocols.signals import Recommendation, SignalScore
from protocols.units import ZERO, Side, exact

ORDER_KIND: Final = "OrderUpdate"
FILL_KIND: Final = "Fill"
KINDS: Final = (SIGNAL_KIND, VERDICT_KIND, SHADOW_KIND, ORDER_KIND, FILL_KIND, *PAPER_KINDS)
"""The kinds of records that a meter hears."""

SHADOW_FEE: Final = Decimal("0.002")
"""What a shadow pays a side: Bitfinex's taker fee without discounts. A shadow must not look cheaper than it is."""
MONEY: Final = frozenset({Metric.DRAWDOWN, Metric.LOSS})

_ENTRY: Final = ":entry"
_FAILED: Final = frozenset({OrderState.REJECTED, OrderState.DEAD})
_ENDED: Final = _FAILED | {OrderState.FILLED, OrderState.CANCELED, OrderState.EXPIRED}

_SCORES = msgspec.json.Decoder(SignalScore)
_VERDICTS = msgspec.json.Decoder(Verdict)
_UPDATES = msgspec.json.Decoder(OrderUpdate)
_FILLS = msgspec.json.Decoder(Fill)
_BEGINNINGS = msgspec.json.Decoder(ShadowBegan)

DUST: Final = 1_000
"""A trade is closed when less than one part in so many of what it bought is left: what a fee took of the coins, or a
rounding, must not keep it open for ever."""


@attrs.define
class _Holding:
    """What a part bought since the rollout began and has not sold. `stop` and `target` are a shadow's own.

    `bought` (base) and `result` (quote: what sales brought less what purchases cost) are of the whole trade.
    """

    quantity: Decimal = ZERO
    bought: Decimal = ZERO
    result: Decimal = ZERO
    stop: Decimal | None = None
    target: Decimal | None = None


@attrs.define
class _Part:
    """One side of the comparison: the candidate's trading, or the rest of it."""

    decisions: int = 0
    refusals: int = 0
    ended: set[str] = attrs.field(factory=set)
    failed: set[str] = attrs.field(factory=set)
    slippage_bps: list[float] = attrs.field(factory=list)
    cash: Decimal = ZERO
    closed: Decimal = ZERO
    trades: int = 0
    won: int = 0
    fees: Decimal = ZERO
    holdings: dict[tuple[str, str], _Holding] = attrs.field(factory=dict)
    best: Decimal = ZERO
    fallen: Decimal = ZERO

    def decide(self, verdict: Verdict) -> None:
        self.decisions += 1
        self.refusals += not verdict.approved

    def buy(self, symbol: str, strategy: str, quantity: Decimal, cost: Decimal) -> _Holding:
        holding = self.holdings.setdefault((symbol, strategy), _Holding())
        holding.quantity += quantity
        holding.bought += quantity
        holding.result -= cost
        self.cash -= cost
        return holding

    def sell(self, symbol: str, strategy: str, quantity: Decimal, price: Decimal, fee: Decimal) -> None:
        """Sell of what was bought since the beginning; what was held before is none of the rollout's doing, nor is its
        part of the `fee` (quote, 0 or more)."""
        holding = self.holdings.get((symbol, strategy))
        if holding is None:
            return
        sold = min(quantity, holding.quantity)
        holding.quantity -= sold
        got = sold * price - fee * sold / quantity
        if holding.quantity * DUST < holding.bought:
            got += holding.quantity * price
            self.closed += holding.result + got
            self.trades += 1
            self.won += holding.result + got > 0
            del self.holdings[symbol, strategy]
        holding.result += got
        self.cash += got

    def mark(self, marks: dict[str, Decimal]) -> None:
        result = self.result(marks)
        self.best = max(self.best, result)
        self.fallen = max(self.fallen, self.best - result)

    def result(self, marks: dict[str, Decimal]) -> Decimal:
        worth = sum((held.quantity * marks.get(symbol, ZERO) for (symbol, _), held in self.holdings.items()), ZERO)
        return self.cash + worth

    def figures(self, marks: dict[str, Decimal]) -> SideFigures:
        return SideFigures(
            decisions=self.decisions,
            refusals=self.refusals,
            trades=self.trades,
            won=self.won,
            pnl=self.result(marks),
            closed_pnl=self.closed,
            fees=self.fees,
            drawdown=self.fallen,
            open=len(self.holdings),
        )

    def figure(self, metric: Metric, equity: Decimal, marks: dict[str, Decimal]) -> tuple[float | None, int]:
        """The metric's value, None while there is nothing to judge by, and over how many samples."""
        match metric:
            case Metric.REFUSAL_RATE:
                return (self.refusals / self.decisions if self.decisions else None), self.decisions
            case Metric.ERROR_RATE:
                return (len(self.failed) / len(self.ended) if self.ended else None), len(self.ended)
            case Metric.SLIPPAGE_BPS:
                found = self.slippage_bps
                return (sum(found) / len(found) if found else None), len(found)
            case Metric.DRAWDOWN:
                return (float(self.fallen / equity) if equity > 0 else None), self.decisions
            case Metric.LOSS:
                return (float(-self.result(marks) / equity) if equity > 0 else None), self.decisions
            case Metric.LOSING_TRADES:
                return ((self.trades - self.won) / self.trades if self.trades else None), self.trades


class RolloutMeter:
    """Counts for one rollout. `hear` every record of `KINDS` after the one that began it, then look at `status`."""

    def __init__(self, rollout: Rollout) -> None:
        self.rollout = rollout
        self._overlay = overlay_of(rollout.plan)
        self._is_paper = rollout.plan.is_paper
        self._began: ShadowBegan | None = None
        self._candidate = _Part()
        self._control = _Part()
        self._marks: dict[str, Decimal] = {}
        self._decided_at: dict[str, Decimal] = {}

    def hear(self, record: Record) -> None:
        """Records of other kinds, and verdicts that an older version gave, are not looked at."""
        if record.kind in PAPER_KINDS:
            if self._is_paper and is_of(record, self.rollout.version):
                self._hear_paper(record)
            return
        match record.kind:
            case "SignalScore":
                self._hear_score(_SCORES.decode(record.payload))
            case "Verdict":
                self._hear_verdict(_VERDICTS.decode(record.payload))
            case "ShadowVerdict":
                self._hear_shadow(_VERDICTS.decode(record.payload))
            case "OrderUpdate":
                self._hear_order(_UPDATES.decode(record.payload))
            case "Fill":
                self._hear_fill(_FILLS.decode(record.payload))

    def status(self, *, now_ms: int, equity: Decimal) -> RolloutStatus:
        """The figures now. `equity` is the account's, of which money is counted as a fraction."""
        plan, began = self.rollout.plan, self._began
        theirs = equity if began is None else began.equity
        value, samples = self._candidate.figure(plan.metric, equity if began is None else began.cash, self._marks)
        control, others = self._control.figure(plan.metric, theirs, self._marks)
        paper: Comparison | None = None
        if self._is_paper:
            if plan.metric is not Metric.REFUSAL_RATE:
                samples, others = self._candidate.trades, self._control.trades
            if began is None:
                value = control = None
            else:
                paper = Comparison(
                    since_ms=began.at_ms,
                    strategies=began.strategies,
                    cash=began.cash,
                    equity=began.equity,
                    again=began.again,
                    shadow=self._candidate.figures(self._marks),
                    live=self._control.figures(self._marks),
                )
        since_ms = self.rollout.started_ms if began is None else began.at_ms
        return RolloutStatus(
            rollout=self.rollout,
            value=value,
            control=control,
            samples=samples,
            control_samples=others,
            now_ms=now_ms,
            ends_ms=since_ms + int(plan.duration_s * 1000),
            paper=paper,
        )

    # --- what it hears ----------------------------------------------------------------------------------------------

    def _reaches(self, symbol: str, strategy: str) -> bool:
        return covers(self._overlay, symbol, strategy)

    def _part(self, symbol: str, strategy: str) -> _Part | None:
        """Whose trading this is. Under a shadow all real trading in its reach is the control."""
        if self._is_paper:
            return self._control if self._began is not None and strategy in self._began.strategies else None
        reached = self._reaches(symbol, strategy)
        if self._overlay.shadow:
            return self._control if reached else None
        return self._candidate if reached else self._control

    def _hear_score(self, score: SignalScore) -> None:
        price = self._marks[score.symbol] = exact(score.price)
        if self._overlay.shadow and not self._is_paper and not score.catch_up:
            self._mind_shadow(score, price)
        self._candidate.mark(self._marks)
        self._control.mark(self._marks)

    def _mind_shadow(self, score: SignalScore, price: Decimal) -> None:
        holding = self._candidate.holdings.get((score.symbol, score.strategy))
        if holding is None:
            return
        stopped = holding.stop is not None and price <= holding.stop
        taken = holding.target is not None and price >= holding.target
        if stopped or taken or score.recommendation is Recommendation.SELL:
            fee = holding.quantity * price * SHADOW_FEE
            self._candidate.sell(score.symbol, score.strategy, holding.quantity, price, fee)

    def _hear_verdict(self, verdict: Verdict) -> None:
        part = self._part(verdict.symbol, verdict.strategy)
        if part is None or verdict.settings_version < self.rollout.version:
            return
        if verdict.verdict_id.endswith(_ENTRY):
            part.decide(verdict)
        if verdict.symbol in self._marks:
            self._decided_at[verdict.verdict_id] = self._marks[verdict.symbol]

    def _hear_shadow(self, verdict: Verdict) -> None:
        if verdict.settings_version < self.rollout.version:
            return
        self._candidate.decide(verdict)
        intent = verdict.intent
        price = self._marks.get(verdict.symbol)
        key = (str(verdict.symbol), verdict.strategy)
        if not verdict.approved or intent is None or price is None or key in self._candidate.holdings:
            return
        cost = intent.quantity * price * (1 + SHADOW_FEE)
        holding = self._candidate.buy(*key, intent.quantity, cost)
        bracket = intent.bracket
        if bracket is not None and bracket.stop_distance is not None:
            holding.stop = price - bracket.stop_distance
        if bracket is not None and bracket.target_distance is not None:
            holding.target = price + bracket.target_distance

    def _hear_order(self, update: OrderUpdate) -> None:
        order = update.order
        part = self._part(order.symbol, order.strategy)
        if part is None or order.foreign or order.created_ms < self.rollout.started_ms:
            return
        if order.state in _ENDED:
            part.ended.add(order.intent_id)
        if order.state in _FAILED and not order.withdrawn:
            part.failed.add(order.intent_id)

    def _hear_paper(self, record: Record) -> None:
        """What the paper shadow did. From where it began (anew) both sides are counted."""
        if record.kind == BEGAN:
            self._began = _BEGINNINGS.decode(record.payload)
            self._candidate, self._control = _Part(), _Part()
        elif self._began is None:
            return
        elif record.kind == PAPER_SCORE:
            self._hear_score(_SCORES.decode(record.payload))
        elif record.kind == PAPER_VERDICT:
            verdict = _VERDICTS.decode(record.payload)
            if verdict.verdict_id.endswith(_ENTRY):
                self._candidate.decide(verdict)
        elif record.kind == PAPER_FILL:
            self._book(self._candidate, _FILLS.decode(record.payload))

    def _hear_fill(self, fill: Fill) -> None:
        part = self._part(fill.symbol, fill.strategy)
        began_ms = self.rollout.started_ms if self._began is None else self._began.at_ms
        if part is not None and not fill.foreign and fill.time_ms >= began_ms:
            self._book(part, fill)

    def _book(self, part: _Part, fill: Fill) -> None:
        decided = self._decided_at.get(fill.intent_id)
        if decided:
            part.slippage_bps.append(float(fill.side.sign * (fill.price - decided) / decided * 10_000))
        if fill.side is Side.BUY:
            quantity = fill.quantity + fill.fee_in_base
            part.buy(fill.symbol, fill.strategy, quantity, fill.quantity * fill.price - fill.fee_beside)
        else:
            part.sell(fill.symbol, fill.strategy, fill.quantity, fill.price, -fill.fee_beside)
        part.fees -= fill.fee_beside + fill.fee_in_base * fill.price
        self._marks.setdefault(fill.symbol, fill.price)
        part.mark(self._marks)


def outcome_of(status: RolloutStatus) -> tuple[bool, str] | None:
    """Whether to promote (True) or take back, with the reason in words; None while it is undecided.

    Counts need `min_samples` before anything is concluded from them. Money does not: a loss above the threshold ends
    it at once.
    """
    plan = status.rollout.plan
    enough = status.samples >= plan.min_samples
    figure, what = status.value, plan.metric.value
    if plan.against_control and figure is not None:
        if status.control is None:
            figure = None
        else:
            figure -= status.control
            what = f"{what} less the {'live' if plan.is_paper else 'control'}'s"
    told = f"over {status.samples} {counted(plan)}"
    if figure is not None and figure > plan.threshold and (enough or plan.metric in MONEY):
        return False, f"{what} must be at most {plan.threshold:g}, was {figure:.4g} {told}"
    time_is_up = status.now_ms >= status.ends_ms
    if not time_is_up and not (_has_traded(status) and enough and figure is not None):
        return None
    if not enough:
        proof = f"{plan.min_samples} {counted(plan) if plan.is_paper else 'samples'}"
        return False, f"must be proven by {proof} in {plan.duration_s:g} s, had {status.samples}"
    if figure is None:
        return False, f"{what} could not be told in {plan.duration_s:g} s"
    took_s = plan.duration_s if time_is_up else (status.now_ms - _since_ms(status)) / 1000
    return True, f"{what} was {figure:.4g}, at most {plan.threshold:g}, {told} in {took_s:g} s"


def counted(plan: RolloutPlan) -> str:
    """What its samples are."""
    if plan.is_paper and plan.metric is not Metric.REFUSAL_RATE:
        return "closed trades"
    return "decisions" if plan.metric in MONEY or plan.is_paper else "samples"


def _has_traded(status: RolloutStatus) -> bool:
    """Whether a paper shadow has made as many trades as were asked for."""
    wanted = status.rollout.plan.terms.trades
    return wanted > 0 and status.paper is not None and status.paper.shadow.trades >= wanted


def _since_ms(status: RolloutStatus) -> int:
    return status.rollout.started_ms if status.paper is None else status.paper.since_ms
