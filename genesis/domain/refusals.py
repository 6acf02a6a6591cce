"""Refusals in a row: while nothing is held, ordered or told, what refused the last entry refuses the next one too.

Rules look at what changes with every candle (the time, the price and its range), or only at what some event changes:
fills, a new day, a lock that runs out, a switch. Between two events the second kind is asked once, for all entries of a
strategy that follow; with one of them against it an entry can only be refused, and what is left to find are the other
rules that refuse it, too. An exit from nothing meets no limit, whatever the candle, so it is asked about once.
`RiskMachine` would say the same of each wish, and says it for whoever reads the words.
"""

from typing import Final

import attrs
import msgspec

from genesis.domain.pairs import PairSpecs
from genesis.domain.risk_facts import facts_at, grounds_of
from genesis.domain.risk_rules import RULES, judge
from genesis.domain.risk_rules.activity import MINUTE_MS
from genesis.domain.risk_rules.results import Rule
from genesis.domain.risk_sizing import entry_quantity
from genesis.domain.risk_state import Facts, RiskState, Wish, owned_quantity
from genesis.domain.volatility import UNKNOWN, Volatility
from protocols.orders import Purpose
from protocols.risk import BreakerState
from protocols.settings import Settings
from protocols.units import ZERO, Side, Symbol, exact

_MOVING: Final = tuple((rule.asks, rule) for rule in RULES if rule.moves)
_STILL: Final = tuple(rule for rule in RULES if not rule.moves)


def can_be_in_a_row(state: RiskState, settings: Settings) -> bool:
    """Whether no candle by itself changes what risk decides by: nothing works, is owed, or waits for its time.

    That nothing is held as well must be known, and that risk has looked at what the account is worth since it changed.
    """
    closed = all([breaker.state is BreakerState.CLOSED for breaker in state.breakers.values()])
    return closed and not (state.reservations or state.exits_owed or settings.overlays)


def minds_range(settings: Settings) -> bool:
    """Whether the range of a candle decides anything about an entry: its size, or whether it may be."""
    limits = settings.risk
    return bool(limits.atr_budget) or limits.regime_high_fraction != 1


@attrs.frozen(kw_only=True)
class Refusals:
    """What refuses the wishes of one strategy from now on, until something happens: `exits` are the rules against any
    exit, `still` those against any entry, whatever the candle."""

    settings: Settings
    facts: Facts
    wish: Wish
    exits: tuple[Rule, ...]
    still: tuple[Rule, ...]
    order_times_ms: tuple[int, ...]

    @classmethod
    def of(
        cls, state: RiskState, settings: Settings, pairs: PairSpecs, *, symbol: Symbol, strategy: str
    ) -> "Refusals | None":
        """Nothing is held. None where something may be let through, or is owed."""
        if owned_quantity(state.account, symbol, strategy):
            return None
        facts, wish = _asked(state, settings, pairs, symbol, strategy, Side.BUY, Purpose.ENTRY)
        still = tuple([rule for rule in _STILL if not rule.passes(settings, facts, wish)])
        exits = judge(settings, *_asked(state, settings, pairs, symbol, strategy, Side.SELL, Purpose.EXIT))
        if not (still and exits):
            return None
        times = tuple(state.order_times_ms)
        return cls(settings=settings, facts=facts, wish=wish, exits=exits, still=still, order_times_ms=times)

    def entry(self, price: float, at_ms: int, volatility: Volatility | None) -> tuple[Rule, ...]:
        """The rules that refuse the entry of a candle that closes at this price and time; `volatility` is what risk has
        heard with it, where that matters (`minds_range`). Those of `still` come first."""
        settings, mark = self.settings, exact(price)
        since_ms = at_ms - MINUTE_MS
        facts = msgspec.structs.replace(
            self.facts,
            now_ms=at_ms,
            overdue_ms=0,
            atr=None if volatility is None else exact(volatility.atr),
            regime=UNKNOWN if volatility is None else volatility.regime(float(settings.risk.regime_high_ratio)),
            orders_last_minute=sum([time_ms > since_ms for time_ms in self.order_times_ms]),
        )
        quantity = entry_quantity(settings.risk, facts, mark)
        wish = msgspec.structs.replace(self.wish, quantity=quantity, price=mark, decided_ms=at_ms)
        return self.still + tuple([rule for asks, rule in _MOVING if not asks(settings, facts, wish)])


def _asked(
    state: RiskState, settings: Settings, pairs: PairSpecs, symbol: Symbol, strategy: str, side: Side, purpose: Purpose
) -> tuple[Facts, Wish]:
    """A wish that asks for no size now, and its facts."""
    grounds = grounds_of(
        state,
        settings,
        symbol=symbol,
        side=side,
        purpose=purpose,
        quantity=ZERO,
        strategy=strategy,
        known_symbols=frozenset(settings.market.symbols),
        pairs=pairs,
    )
    facts = facts_at(grounds, state, settings, pairs, state.now_ms)
    wish = Wish(
        intent_id="",
        strategy=strategy,
        symbol=symbol,
        side=side,
        purpose=purpose,
        quantity=ZERO,
        price=state.marks[symbol],
        decided_ms=state.now_ms,
        correlation_id="",
        signal_id="",
        intent=None,
    )
    return facts, wish


def kept(state: RiskState) -> RiskState:
    """The state as it is now, for whoever goes on from here later."""
    return msgspec.structs.replace(
        state,
        trades_today_by_symbol=dict(state.trades_today_by_symbol),
        order_times_ms=list(state.order_times_ms),
        marks=dict(state.marks),
        judged=dict(state.judged),
        manual=dict(state.manual),
        reservations=dict(state.reservations),
        exits_owed=dict(state.exits_owed),
        denials_by_code=dict(state.denials_by_code),
        denials_by_rule=dict(state.denials_by_rule),
        last_entry_ms=dict(state.last_entry_ms),
        due_ms=dict(state.due_ms),
        owner=dict(state.owner),
        strategies={name: msgspec.structs.replace(book) for name, book in state.strategies.items()},
        results=list(state.results),
        switched=list(state.switched),
        locks=dict(state.locks),
        breakers={scope: msgspec.structs.replace(each) for scope, each in state.breakers.items()},
        conditions=dict(state.conditions),
        volatility={name: msgspec.structs.replace(each) for name, each in state.volatility.items()},
    )
