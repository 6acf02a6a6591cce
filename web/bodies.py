"""What clients may send: request bodies and queries with strict schemas.

Unknown fields are refused, booleans are no numbers, and numbers must be finite: a typo in a field that limits a loss
must never pass in silence.
"""

from decimal import Decimal
from typing import Annotated

import msgspec

from protocols.units import TIMEFRAME_MS, Symbol

# A description is also what a refusal says that the value must be.
SymbolText = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^t[A-Z0-9]{2,12}(:[A-Z0-9]{2,12})?$", max_length=26, description="a trading symbol such as tBTCUSD"
    ),
]
TimeframeText = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join((*TIMEFRAME_MS, '1M'))})$")]
ShortText = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
NameText = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.@:/-]{1,120}$", description="1 to 120 letters, digits and _.@:/-")
]
CurrencyText = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9]{2,12}$", description="a currency such as USD")]
Limit = Annotated[int, msgspec.Meta(ge=1, le=1000)]
CandleLimit = Annotated[int, msgspec.Meta(ge=1, le=5000)]
Offset = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parent of every body and query."""


class NoQuery(Strict, frozen=True, kw_only=True):
    pass


class NoBody(Strict, frozen=True, kw_only=True):
    pass


class ListQuery(Strict, frozen=True, kw_only=True):
    symbol: SymbolText | None = None
    limit: Limit = 100
    offset: Offset = 0


class OrdersQuery(ListQuery, frozen=True, kw_only=True):
    """`state` is open, closed or all."""

    state: Annotated[str, msgspec.Meta(pattern="^(open|closed|all)$")] = "all"


class DecisionsQuery(ListQuery, frozen=True, kw_only=True):
    """`verdict` is approved, denied or all; `signal_id` and `correlation_id` find the decision about one event."""

    verdict: Annotated[str, msgspec.Meta(pattern="^(approved|denied|all)$")] = "all"
    signal_id: ShortText | None = None
    correlation_id: ShortText | None = None


class SignalsQuery(ListQuery, frozen=True, kw_only=True):
    """`hold` false leaves out the candles on which a strategy saw nothing to do."""

    strategy: NameText | None = None
    hold: bool = True


class TickerQuery(Strict, frozen=True, kw_only=True):
    symbol: SymbolText | None = None


class CandlesQuery(Strict, frozen=True, kw_only=True):
    symbol: SymbolText
    timeframe: TimeframeText = "1m"
    limit: CandleLimit = 500


class EquityQuery(Strict, frozen=True, kw_only=True):
    limit: CandleLimit = 1000


class OrderBody(Strict, frozen=True, kw_only=True):
    """A manual order: `quantity` of the base currency, above zero, and the `side`.

    `amount` is the exchange's own word and is taken in place of `quantity`: it is signed, below zero sells, unless
    `side` says which way. One of the two must be given. `intent_id` makes a repeat harmless: the same id is the same
    wish, and is never placed twice.
    """

    symbol: SymbolText
    side: Annotated[str, msgspec.Meta(pattern="^(buy|sell)$")] | None = None
    quantity: Decimal | None = None
    amount: Decimal | None = None
    type: Annotated[str, msgspec.Meta(max_length=30)] = "EXCHANGE MARKET"
    price: Decimal | None = None
    price_aux_limit: Decimal | None = None
    price_trailing: Decimal | None = None
    price_oco_stop: Decimal | None = None
    post_only: bool = False
    reduce_only: bool = False
    hidden: bool = False
    intent_id: NameText | None = None


class BracketBody(OrderBody, frozen=True, kw_only=True):
    """An order with its stop and its target, each as a price or as a distance from the first fill.

    They are placed with the entry's first fill, follow its size, and hold for what this order opened: other brackets
    and strategies in the symbol keep their own. Without a stop of its own the order gets the one of the settings.
    `trailing` makes the stop follow at `stop_distance`, with `activation_price` from when the market reaches that.
    """

    stop_price: Decimal | None = None
    stop_distance: Decimal | None = None
    target_price: Decimal | None = None
    target_distance: Decimal | None = None
    trailing: bool = False
    activation_price: Decimal | None = None


TemplateName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        description="1 to 64 letters, digits and _.-, a letter or digit first",
    ),
]


class TemplateBody(BracketBody, frozen=True, kw_only=True):
    """An order to be kept under a name; `intent_id` has no place in it."""

    name: TemplateName


class LedgersQuery(Strict, frozen=True, kw_only=True):
    currency: CurrencyText | None = None
    limit: Limit = 100


class MarginQuery(Strict, frozen=True, kw_only=True):
    """`symbol` asks what margin allows of one pair, `all` of each of them; without it, of the whole account."""

    symbol: (
        Annotated[
            str,
            msgspec.Meta(
                pattern=r"^(all|t[A-Z0-9]{2,12}(:[A-Z0-9]{2,12})?)$",
                max_length=26,
                description="a trading symbol such as tBTCUSD, or all",
            ),
        ]
        | None
    ) = None


class FundingQuery(Strict, frozen=True, kw_only=True):
    """`symbol` is a funding symbol such as fUSD; `history` asks for what has ended."""

    symbol: (
        Annotated[str, msgspec.Meta(pattern=r"^f[A-Z0-9]{2,12}$", description="a funding symbol such as fUSD")] | None
    ) = None
    history: bool = False


class UpdateBody(Strict, frozen=True, kw_only=True):
    """What to change of a resting order; at least one must be given. `quantity` is what shall remain; `amount`, the
    exchange's own word for it, is taken too, with the sign of the order's side or none.

    `stop_price` is for an order that protects a position: of one that is stop and target at once (an OCO) it moves the
    stop, as `price` moves the target.
    """

    price: Decimal | None = None
    quantity: Decimal | None = None
    amount: Decimal | None = None
    stop_price: Decimal | None = None


class ReasonBody(Strict, frozen=True, kw_only=True):
    reason: ShortText = "asked over the API"


class FlattenBody(Strict, frozen=True, kw_only=True):
    """Without `symbol`, everything. `confirm` must be the word flatten.

    For `wait_s` the answer waits until nothing is open or held any more of what there was, and says whether it is so.
    """

    confirm: ShortText
    symbol: SymbolText | None = None
    wait_s: Annotated[float, msgspec.Meta(ge=0, le=10)] = 0.0
    reason: ShortText = "asked over the API"


class FlattenedQuery(Strict, frozen=True, kw_only=True):
    """For `wait_s` the answer waits until it is done, or given up."""

    wait_s: Annotated[float, msgspec.Meta(ge=0, le=10)] = 0.0


class AdoptBody(Strict, frozen=True, kw_only=True):
    """Give what `owner` holds to `heir`, a strategy that runs or `manual`; of one symbol, or of all without it."""

    owner: ShortText
    heir: ShortText
    symbol: SymbolText | None = None
    reason: ShortText = "asked over the API"


class HaltBody(Strict, frozen=True, kw_only=True):
    """`reducing` keeps exits allowed and refuses entries only."""

    reason: ShortText = "asked over the API"
    reducing: bool = False


class ChaosBody(Strict, frozen=True, kw_only=True):
    """`kill` is an actor's path in the tree, as `/api/v2/actors` names it; or `fault` a kind of trouble of GET's list.

    A fault strikes an `actor` or `sockets`, lasts for `seconds` and happens at most so many `times`.
    """

    kill: NameText | None = None
    fault: NameText | None = None
    actor: NameText | None = None
    sockets: NameText = "all"
    seconds: float | None = None
    times: int | None = None


class MintBody(Strict, frozen=True, kw_only=True):
    """Wishes: the answer is never more than the proof allows."""

    user_id: NameText = "user"
    scope: Annotated[str, msgspec.Meta(pattern="^(read|trade|admin)$")] = "read"
    expiry_hours: Annotated[float, msgspec.Meta(gt=0, le=8760)] | None = None


class TicketBody(Strict, frozen=True, kw_only=True):
    ticket: Annotated[str, msgspec.Meta(min_length=8, max_length=200)]


class RevokeBody(Strict, frozen=True, kw_only=True):
    """One token by its id, or every token there is."""

    jti: NameText | None = None
    everything: bool = False


def symbol_of(text: str) -> Symbol:
    return Symbol(text)
