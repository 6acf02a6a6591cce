"""What each rule's refusal means, in words: the sentence with its numbers, and what a person can do about it.

`docs/risk-codes.md` is made of this table, `genesis why` and the API speak with it.
"""

import string
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import attrs

from protocols.risk import DenialCode, RuleResult, Verdict


@attrs.frozen
class RuleText:
    """One rule: the code of its refusal, a sentence with `{number}` places, and what to do."""

    code: DenialCode
    sentence: str
    advice: str

    @property
    def numbers(self) -> tuple[str, ...]:
        """The numbers that the sentence speaks of."""
        return tuple(name for _, name, _, _ in string.Formatter().parse(self.sentence) if name)


_C = DenialCode
PASSING: Final = frozenset({DenialCode.STALE_DATA, DenialCode.ACCOUNT_UNKNOWN})
"""What passes within seconds, without anybody's doing: nothing is wrong with the order, and it may be sent again."""

_MOMENTS: Final = frozenset({"until_ms"})
NEVER_BY_ITSELF: Final = "somebody removes it"
_WAIT = "Nothing: it passes by itself."
_LIMIT = "Wait, reduce what is held, or have an admin raise the limit."

RULE_TEXTS: Final[Mapping[str, RuleText]] = {
    "not_halted": RuleText(
        _C.HALTED, "trading is {state}: {reason}", "Find out why, then release the halt (`genesis resume`, admin)."
    ),
    "not_reducing": RuleText(
        _C.REDUCING_ONLY,
        "trading is {state}, so only exits are allowed; {held} is held",
        "Release it when new risk is wanted again (`genesis resume`, admin).",
    ),
    "not_paused": RuleText(_C.PAUSED, "entries are paused: {reason}", "Resume entries on the page or over the API."),
    "inside_windows": RuleText(
        _C.OUTSIDE_WINDOWS,
        "the trading windows ({windows}, {timezone}) are closed until {next_opening}",
        "Wait for the next opening or change `risk.windows`.",
    ),
    "not_locked": RuleText(
        _C.LOCKED,
        "{lock_id} by {source} stands in the way until {until_ms}: {reason}",
        "Wait until it runs out, or remove the lock.",
    ),
    "breaker_closed": RuleText(
        _C.BREAKER_OPEN,
        "the trading breaker of {scope} is {state} because of {cause}",
        "Look at the cause. It is tried again by itself, or reset it.",
    ),
    "known_symbol": RuleText(
        _C.UNKNOWN_SYMBOL, "{symbol} is not among the watched symbols", "Add it to `market.symbols` and restart."
    ),
    "counted_currency": RuleText(
        _C.OTHER_QUOTE,
        "{symbol} is quoted in {quote}, and limits are counted in {counted_in}",
        "Trade pairs of `quote_currency`, or set it to the other one (an account for each).",
    ),
    "known_price": RuleText(
        _C.STALE_DATA,
        "no price of the symbol is known yet (price {price})",
        "Wait for its first closed candle, a minute where `market.timeframes` has 1m.",
    ),
    "known_account": RuleText(
        _C.ACCOUNT_UNKNOWN, "the venue has not told the account yet (known: {known})", "Look at the private connection."
    ),
    "matching_books": RuleText(
        _C.SYMBOL_HALTED,
        "our fills say {by_our_fills} is held, the venue keeps {at_the_venue}",
        "Look for orders from elsewhere; entries go on when the two agree.",
    ),
    "fresh_signal": RuleText(
        _C.STALE_SIGNAL,
        "the signal is {lag_ms} ms behind (at most {max_lag_ms}) or of history ({history})",
        "Nothing: the next candle brings a fresh one.",
    ),
    "fresh_data": RuleText(
        _C.STALE_DATA,
        "the next candle is {overdue_ms} ms late (at most {allowed_ms}), or streams are {stale_ms} ms old",
        "Look at the public connections and at the venue.",
    ),
    "clocks_agree": RuleText(
        _C.CLOCK_SKEW,
        "our clock and the venue's are {skew_ms} ms apart, at most {allowed_ms} is allowed",
        "Let the machine's clock be set by NTP.",
    ),
    "nothing_working": RuleText(
        _C.ORDER_ALREADY_WORKING,
        "{working} orders of the symbol have not ended, the newest {newest}",
        "Wait for its end, or cancel it.",
    ),
    "something_to_reduce": RuleText(_C.NOTHING_TO_REDUCE, "there is nothing to close: {held} is held", "Nothing."),
    "minimum_size": RuleText(
        _C.BELOW_MINIMUM_SIZE, "{quantity} is below the venue's minimum of {minimum}", "Order more, or not at all."
    ),
    "maximum_size": RuleText(
        _C.ABOVE_MAXIMUM_SIZE, "{quantity} is above the venue's maximum of {maximum}", "Order in parts."
    ),
    "order_notional": RuleText(
        _C.MAX_ORDER_NOTIONAL, "the order is worth {notional}, at most {allowed} is allowed", "Order less."
    ),
    "position_notional": RuleText(
        _C.MAX_POSITION_NOTIONAL,
        "the position would be worth {after} (now {now}), at most {allowed} is allowed",
        _LIMIT,
    ),
    "gross_exposure": RuleText(
        _C.MAX_GROSS_EXPOSURE, "all positions would be worth {after} (now {now}), at most {allowed} is allowed", _LIMIT
    ),
    "net_exposure": RuleText(
        _C.MAX_NET_EXPOSURE, "long less short would be {after} (now {now}), at most {allowed} is allowed", _LIMIT
    ),
    "open_positions": RuleText(
        _C.MAX_OPEN_POSITIONS, "{after} symbols would be held (now {now}), at most {allowed} are allowed", _LIMIT
    ),
    "volatility_budget": RuleText(
        _C.VOLATILITY_BUDGET,
        "one average true range ({atr}) would move {at_risk}, at most {allowed} is allowed",
        "Order less, or wait for a calmer market.",
    ),
    "regime_budget": RuleText(
        _C.REGIME_BUDGET,
        "the market is {regime}: the position would be worth {after}, at most {allowed} is allowed there",
        "Order less, or wait for a calmer market.",
    ),
    "daily_loss": RuleText(
        _C.MAX_DAILY_LOSS,
        "{lost} of the day's first equity {day_start_equity} is lost (now {equity}), the limit is {allowed}",
        "Wait for the next day.",
    ),
    "weekly_loss": RuleText(
        _C.MAX_WEEKLY_LOSS,
        "{lost} of the week's first equity {week_start_equity} is lost (now {equity}), the limit is {allowed}",
        "Wait for Monday.",
    ),
    "drawdown": RuleText(
        _C.MAX_DRAWDOWN,
        "equity {equity} is {lost} below its peak {peak_equity}, the limit is {allowed}",
        "Decide to live with it: reset the peaks, or halt and resume (admin).",
    ),
    "strategy_drawdown": RuleText(
        _C.MAX_STRATEGY_DRAWDOWN,
        "the strategy's result {result} is {fallen} of equity below its best {best_result}, the limit is {allowed}",
        "Look at the strategy, then reset its peak (admin).",
    ),
    "trades_per_day": RuleText(
        _C.MAX_TRADES_PER_DAY, "{today} entries were made today, at most {allowed} are allowed", _LIMIT
    ),
    "trades_per_symbol": RuleText(
        _C.MAX_TRADES_PER_SYMBOL, "{today} entries were made in the symbol today, at most {allowed} are allowed", _LIMIT
    ),
    "orders_per_minute": RuleText(
        _C.MAX_ORDERS_PER_MINUTE, "{last_minute} orders went out in the last minute, at most {allowed} may", _WAIT
    ),
    "cooled_down": RuleText(
        _C.COOLDOWN, "the last entry in the symbol was {since_entry_ms} ms ago, {least_ms} must pass", _WAIT
    ),
    "enough_cash": RuleText(
        _C.INSUFFICIENT_BALANCE,
        "{needed} {currency} is needed and {free} is free in the {wallet} wallet",
        "Order less, or free some. Types that begin with EXCHANGE spend the exchange wallet, others the margin wallet.",
    ),
}


def sentence(result: RuleResult) -> str:
    """A refusal in words. A rule that nobody wrote words for speaks with its numbers."""
    known = RULE_TEXTS.get(result.rule)
    if known is None or not all(name in result.numbers for name in known.numbers):
        numbers = ", ".join(f"{name} {number}" for name, number in result.numbers.items())
        return f"{result.rule.replace('_', ' ')}: {numbers}"
    return known.sentence.format_map({name: _said(name, number) for name, number in result.numbers.items()})


def _said(name: str, number: str) -> str:
    """A number as a sentence has it: a moment that a clock would show, where the trace keeps milliseconds."""
    if name not in _MOMENTS:
        return number
    if not number.isdecimal():
        return NEVER_BY_ITSELF
    return datetime.fromtimestamp(int(number) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def advice(result: RuleResult) -> str:
    known = RULE_TEXTS.get(result.rule)
    return known.advice if known is not None else ""


def reasons(verdict: Verdict) -> tuple[str, ...]:
    """Every refusal of a verdict in words; empty when it was approved."""
    return tuple(sentence(result) for result in verdict.denials)
