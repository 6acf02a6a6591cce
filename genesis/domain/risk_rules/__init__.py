"""The risk rules, one file a family: each looks at settings, facts and a wish, and passes or says why not.

All of them are asked every time, so a refusal names everything that stands against it. Rules about limits let a trade
through that only takes risk away: a limit must never keep anybody in a losing position.
"""

from functools import cache

from genesis.domain.risk_rules import (
    account,
    activity,
    breaker,
    budget,
    exposure,
    hours,
    locks,
    losses,
    signals,
    size,
    trading_state,
    working,
)
from genesis.domain.risk_rules.at_once import at_once
from genesis.domain.risk_rules.results import Question, Rule
from genesis.domain.risk_state import Facts, Wish
from protocols.settings import Settings

RULES: tuple[Rule, ...] = (
    trading_state.not_halted,
    trading_state.not_reducing,
    trading_state.not_paused,
    hours.inside_windows,
    locks.not_locked,
    breaker.breaker_closed,
    account.known_symbol,
    account.counted_currency,
    account.known_price,
    account.known_account,
    account.matching_books,
    signals.fresh_signal,
    signals.fresh_data,
    signals.clocks_agree,
    working.nothing_working,
    working.something_to_reduce,
    size.minimum_size,
    size.maximum_size,
    size.order_notional,
    exposure.position_notional,
    exposure.gross_exposure,
    exposure.net_exposure,
    exposure.open_positions,
    budget.volatility_budget,
    budget.regime_budget,
    losses.daily_loss,
    losses.weekly_loss,
    losses.drawdown,
    losses.strategy_drawdown,
    activity.trades_per_day,
    activity.trades_per_symbol,
    activity.orders_per_minute,
    activity.cooled_down,
    account.enough_cash,
)

_ALL = tuple((rule.asks, rule) for rule in RULES)
_ALWAYS = tuple((rule.asks, rule) for rule in RULES if not rule.opens)
"""The questions that are put to what only takes away, too."""


def judge(settings: Settings, facts: Facts, wish: Wish) -> tuple[Rule, ...]:
    """The rules that do not let it through, in the order of `RULES`."""
    questions = _ALWAYS if facts.reduces else _ALL
    return tuple([rule for asks, rule in questions if not asks(settings, facts, wish)])


def judge_at_once(settings: Settings, facts: Facts, wish: Wish) -> tuple[Rule, ...]:
    """`judge` for who has an order waiting: a wish that is let through is asked one question. To write that takes some
    ten milliseconds, once in a process; see `write_at_once`."""
    of_all, of_what_reduces = write_at_once()
    if (of_what_reduces if facts.reduces else of_all)(settings, facts, wish):
        return ()
    return judge(settings, facts, wish)


@cache
def write_at_once() -> tuple[Question, Question]:
    """The questions for all wishes, and those for what only takes away, as one each."""
    return at_once(asks for asks, _ in _ALL), at_once(asks for asks, _ in _ALWAYS)
