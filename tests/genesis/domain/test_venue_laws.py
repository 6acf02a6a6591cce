"""Laws of the exchange, over sequences nobody would write."""

from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.domain.matching import FillModel, FillWhen
from genesis.domain.pairs import pair_specs
from genesis.domain.venue import Venue
from genesis.domain.venue_ledger import fee_of, notional_of
from genesis.domain.venue_state import MARGIN, PositionChange, VenueOutput, WalletChange
from protocols.bitfinex.account import FLAG_HIDDEN, FLAG_OCO, FLAG_POST_ONLY, FLAG_REDUCE_ONLY
from protocols.bitfinex.inputs import ChangeOrder, EndOrder, EndOrders, NewOrder
from protocols.orders import VenueOrder, VenueTrade
from protocols.units import ZERO, Symbol

D = Decimal
PAIRS = (Symbol("tBTCUSD"), Symbol("tETHUSD"))
NAMES = ("a", "b", "c")
TYPES = ("MARKET", "LIMIT", "STOP", "STOP LIMIT", "TRAILING STOP", "FOK", "IOC")
STAKE = (("exchange", "USD", D(1000)), ("exchange", "BTC", D(2)), ("exchange", "ETH", D(2)), ("margin", "USD", D(500)))

prices = st.integers(80, 120).map(lambda n: D(n) / 10 * 10)
amounts = st.integers(1, 300).map(lambda n: D(n) / 100)
orders = st.builds(
    lambda name, pair, kind, margin, sign, amount, price, aux, flags, oco, expires: (
        "order",
        name,
        NewOrder(
            cid=None,
            group_id=None,
            symbol=pair,
            wire_type=kind if margin else f"EXCHANGE {kind}",
            amount=amount * sign,
            price=price,
            aux_limit_price=aux,
            trailing_distance=D(3) if kind == "TRAILING STOP" else None,
            oco_stop_price=aux if oco and kind == "LIMIT" else None,
            flags=flags | (FLAG_OCO if oco and kind == "LIMIT" else 0),
            expires_ms=expires,
        ),
    ),
    st.sampled_from(NAMES),
    st.sampled_from(PAIRS),
    st.sampled_from(TYPES),
    st.booleans(),
    st.sampled_from((1, -1)),
    amounts,
    prices,
    prices,
    st.sampled_from((0, 0, 0, FLAG_HIDDEN, FLAG_POST_ONLY, FLAG_REDUCE_ONLY)),
    st.booleans(),
    st.sampled_from((None, None, 20_000)),
)
ticks = st.tuples(st.just("tick"), st.sampled_from(PAIRS), st.integers(800, 1200).map(lambda n: n / 10))
cancels = st.tuples(st.just("cancel"), st.sampled_from(NAMES), st.integers(0, 5))
changes = st.tuples(st.just("change"), st.sampled_from(NAMES), st.integers(0, 5), prices, amounts)
everything = st.tuples(st.just("everything"), st.sampled_from(NAMES))
stories = st.lists(st.one_of(orders, ticks, ticks, cancels, changes, everything), max_size=40)
models = st.builds(
    FillModel,
    when=st.sampled_from(FillWhen),
    half_spread=st.sampled_from((D(0), D("0.001"))),
    slippage=st.sampled_from((D(0), D("0.001"))),
    latency_ms=st.sampled_from((0, 700)),
    participation=st.sampled_from((None, D("0.5"))),
)


def live(
    story: list[tuple],  # type: ignore[type-arg]
    model: FillModel,
    *,
    is_told: bool = True,
) -> tuple[Venue, list[VenueOutput]]:
    """Play a story to a venue; after each step the wallets must be sane."""
    venue = Venue(pair_specs(PAIRS), model=model)
    venue.books.is_told = is_told
    for name in NAMES:
        venue.open_account(name, STAKE)
    for pair in PAIRS:
        venue.on_tick(pair, 100.0, 1.0, 0)
    out: list[VenueOutput] = []
    for number, (kind, who, *rest) in enumerate(story, start=1):
        now = number * 1_000
        open_ids = list(venue.accounts[who].orders) if kind in ("cancel", "change") else []
        if kind == "order":
            out += venue.submit(who, rest[0], now)
        elif kind == "tick":
            out += venue.on_tick(who, rest[0], 1.0, now)
        elif kind == "cancel" and open_ids:
            out += venue.cancel(who, EndOrder(venue_id=open_ids[rest[0] % len(open_ids)], cid=None, cid_date=None), now)
        elif kind == "change" and open_ids:
            at, price, amount = rest
            order = venue.accounts[who].orders[open_ids[at % len(open_ids)]]
            change = ChangeOrder(
                venue_id=order.venue_id, cid=None, cid_date=None, price=price, amount=amount * order.sign
            )
            out += venue.update(who, change, now)
        elif kind == "everything":
            out += venue.cancel_many(who, EndOrders(everything=True), now)
        check_wallets(venue)
    return venue, out


def check_wallets(venue: Venue) -> None:
    for account in venue.accounts.values():
        for wallet in account.wallets.values():
            if wallet.wallet_type != MARGIN:
                assert wallet.balance >= 0
                assert 0 <= wallet.locked <= wallet.balance
        held: dict[str, Decimal] = {}
        for order in account.orders.values():
            assert order.remaining > 0
            spec = venue.specs[order.symbol]
            if not order.is_margin:
                key = f"exchange {spec.quote if order.sign > 0 else spec.base}"
                held[key] = held.get(key, ZERO) + order.locked
        for key, wallet in account.wallets.items():
            assert wallet.locked == held.get(key, ZERO)


@settings(max_examples=120, deadline=None)
@given(stories, models)
def test_money_is_neither_made_nor_lost(story: list[tuple], model: FillModel) -> None:  # type: ignore[type-arg]
    venue, _ = live(story, model)
    assert venue.books.total("USD") == 3 * (1000 + 500)
    assert venue.books.total("BTC") == 6
    assert venue.books.total("ETH") == 6


@settings(max_examples=120, deadline=None)
@given(stories, models)
def test_no_order_ever_executes_more_than_its_amount(story: list[tuple], model: FillModel) -> None:  # type: ignore[type-arg]
    venue, _ = live(story, model)
    for name in NAMES:
        executed: dict[int, Decimal] = {}
        for trade in venue.history(name).trades:
            executed[trade.venue_order_id] = executed.get(trade.venue_order_id, ZERO) + trade.amount
        known = [*venue.history(name).orders, *(o.told_as("os") for o in venue.accounts[name].orders.values())]
        for order in known:
            done = executed.pop(order.venue_id, ZERO)
            assert done == order.original - order.remaining
            assert done * order.original >= 0
            assert abs(done) <= abs(order.original)
        assert executed == {}


@settings(max_examples=120, deadline=None)
@given(stories, models)
def test_fees_are_exact_and_paid_in_what_was_received(story: list[tuple], model: FillModel) -> None:  # type: ignore[type-arg]
    _, out = live(story, model)
    for _, message in out:
        if isinstance(message, VenueTrade) and message.event == "tu":
            margin = not message.wire_type.startswith("EXCHANGE")
            quantity = abs(message.amount)
            in_base = message.amount > 0 and not margin
            received = quantity if in_base else notional_of(quantity, message.price)
            assert message.fee_currency == (message.symbol[1:4] if in_base else "USD")
            assert message.fee in (-fee_of(received, D("0.001")), -fee_of(received, D("0.002")))
            assert message.maker or message.fee == -fee_of(received, D("0.002"))


@settings(max_examples=120, deadline=None)
@given(stories, models)
def test_every_order_ends_once_and_is_silent_after(story: list[tuple], model: FillModel) -> None:  # type: ignore[type-arg]
    _, out = live(story, model)
    over: set[int] = set()
    for _, message in out:
        if isinstance(message, VenueOrder):
            assert message.venue_id not in over
            if message.event == "oc":
                over.add(message.venue_id)


@settings(max_examples=100, deadline=None)
@given(stories, models)
def test_a_limit_is_never_broken(story: list[tuple], model: FillModel) -> None:  # type: ignore[type-arg]
    """Also the maker's: whoever trades against a resting order pays the resting order's price."""
    _, out = live(story, model)
    for _, message in out:
        limited = isinstance(message, VenueTrade) and message.wire_type.endswith(("LIMIT", "FOK", "IOC"))
        if limited and isinstance(message, VenueTrade):
            if message.amount > 0:
                assert message.price <= message.order_price
            else:
                assert message.price >= message.order_price
            if message.maker:
                assert message.price == message.order_price


@settings(max_examples=100, deadline=None)
@given(stories, models)
def test_the_same_story_is_told_the_same_way(story: list[tuple], model: FillModel) -> None:  # type: ignore[type-arg]
    assert live(story, model)[1] == live(story, model)[1]


@settings(max_examples=100, deadline=None)
@given(stories, models, st.floats(80, 120))
def test_inside_its_band_a_tick_changes_nothing(story: list[tuple], model: FillModel, price: float) -> None:  # type: ignore[type-arg]
    """What makes the fast path safe: the slow path agrees that there is nothing to do."""
    venue, _ = live(story, model)
    now = 1_000 * (len(story) + 1)
    for pair in PAIRS:
        low, high = venue.band(pair)
        if low < price < high and now < venue.wakes_ms(pair):
            assert venue._tick(venue._markets[pair], D(repr(price)), 1.0, now) == []


def without_words(out: list[VenueOutput]) -> list[VenueOutput]:
    """What moves money or orders, without what is only told on a wire."""
    kept: list[VenueOutput] = []
    for name, message in out:
        if isinstance(message, VenueTrade) and message.event == "te":
            continue
        if isinstance(message, WalletChange):
            message = msgspec.structs.replace(message, description=None, meta=None)
        elif isinstance(message, PositionChange):
            message = msgspec.structs.replace(message, meta=None)
        kept.append((name, message))
    return kept


@settings(max_examples=120, deadline=None)
@given(stories, models)
def test_a_venue_that_nobody_listens_to_does_the_same_in_silence(story: list[tuple], model: FillModel) -> None:  # type: ignore[type-arg]
    """A backtest's venue writes no history and no words: its wallets, orders and trades are those of the wire's."""
    told, out = live(story, model)
    silent, silently = live(story, model, is_told=False)
    assert without_words(silently) == without_words(out)
    accounts = [msgspec.json.encode(venue.accounts) for venue in (told, silent)]
    assert accounts[0] == accounts[1]
    assert (silent.books.market, silent.books.fees) == (told.books.market, told.books.fees)
    assert all(not history.ledger and not history.trades for history in silent.books.histories.values())
