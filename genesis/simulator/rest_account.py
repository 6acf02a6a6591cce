"""REST endpoints that need a key: orders, trades, wallets, positions, and what an account may do."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

from genesis.domain.venue_funding import interest
from genesis.domain.venue_ledger import FEE_WINDOW_MS, changed
from genesis.domain.venue_margin import DERIVATIVE_LEVERAGE, tradable
from genesis.domain.venue_state import (
    FUNDING,
    MARGIN,
    WALLET_TYPES,
    Account,
    LedgerEntry,
    VenueNotice,
    VenueOutput,
    Wallet,
)
from genesis.simulator.account_side import refused_info
from genesis.simulator.rest import Call, RestRefusal, Route, route
from genesis.simulator.settings import SCOPES
from protocols.bitfinex.account import notice_row, order_row, position_row, trade_row, wallet_row
from protocols.bitfinex.errors import ERR_GENERIC, ERR_PARAMS, InputRefused, MalformedFrame
from protocols.bitfinex.inputs import Operation, Refused, read_multi, read_operation, write_day
from protocols.orders import VenueOrder
from protocols.units import ZERO, Symbol, plain

TWO_WEEKS_MS: Final = 14 * 86_400_000
USER_INFO_LENGTH: Final = 55


def _account(call: Call) -> Account:
    return call.exchange.venue.accounts[call.account]


# --- orders -------------------------------------------------------------------------------------------------------


def _wanted(call: Call, orders: Iterable[VenueOrder]) -> list[VenueOrder]:
    symbol = call.groups[0] if call.groups else ""
    ids = call.body.get("id")
    group, cid, day = call.integer("gid"), call.integer("cid"), call.body.get("cid_date")
    return [
        order
        for order in orders
        if (not symbol or order.symbol == symbol)
        and (not isinstance(ids, list) or order.venue_id in ids)
        and (group is None or order.group_id == group)
        and (cid is None or (order.cid == cid and (day is None or write_day(order.created_ms) == day)))
    ]


def open_orders(call: Call) -> Any:
    return [
        order_row(order) for order in _wanted(call, (each.told_as("rest") for each in _account(call).orders.values()))
    ]


def closed_orders(call: Call) -> Any:
    start, end = call.window()
    since = max(start, call.exchange.venue_ms() - TWO_WEEKS_MS)
    history = call.exchange.venue.history(call.account).orders
    found = [order for order in _wanted(call, history) if since <= order.created_ms <= end]
    found.sort(key=lambda order: (order.created_ms, order.venue_id), reverse=True)
    return [order_row(order) for order in found[: call.limit(25, 2500)]]


def _perform(call: Call, operation: Operation) -> list[VenueOutput]:
    assert call.key is not None
    outputs = call.exchange.accounts.perform(call.key, operation)
    notice = outputs[0][1]
    assert isinstance(notice, VenueNotice)
    if notice.status != "SUCCESS":
        raise RestRefusal(ERR_GENERIC, notice.text)
    call.exchange.accounts.apply(outputs, without_notices=True)
    return outputs


def _operation(kind: str, call: Call) -> Operation:
    try:
        return read_operation(kind, call.body)
    except InputRefused as error:
        raise RestRefusal(ERR_PARAMS, error.text) from None
    except MalformedFrame:
        raise RestRefusal(ERR_PARAMS, "input: invalid") from None


def _envelope(call: Call, outputs: Sequence[VenueOutput]) -> list[Any]:
    """The notification as REST has it: a new order in seconds and wrapped once more."""
    notice = outputs[0][1]
    assert isinstance(notice, VenueNotice)
    row = call.exchange.accounts.notice(notice)
    if notice.kind == "on-req":
        row[0] = row[0] // 1000
        row[4] = [order_row(order) for order in notice.orders]
    return row


def submit(call: Call) -> Any:
    return _envelope(call, _perform(call, _operation("on", call)))


def update(call: Call) -> Any:
    return _envelope(call, _perform(call, _operation("ou", call)))


def cancel(call: Call) -> Any:
    return _envelope(call, _perform(call, _operation("oc", call)))


def cancel_many(call: Call) -> Any:
    return _envelope(call, _perform(call, _operation("oc_multi", call)))


def order_multi(call: Call) -> Any:
    try:
        request = read_multi(call.body)
    except InputRefused as error:
        raise RestRefusal(ERR_PARAMS, error.text) from None
    accounts, now_ms = call.exchange.accounts, call.exchange.venue_ms()
    assert call.key is not None
    answers: list[Any] = []
    for operation in request.operations:
        if isinstance(operation, Refused):
            unread = operation.error
            answers.append(notice_row(unread.kind, refused_info(unread), "ERROR", unread.text, time=now_ms))
            continue
        outputs = accounts.perform(call.key, operation)
        accounts.apply(outputs, without_notices=True)
        answers.append(_envelope(call, outputs))
    text = f"Submitting {len(request.operations)} order operations."
    return notice_row("ox_multi-req", answers, "SUCCESS", text, time=now_ms)


# --- trades -------------------------------------------------------------------------------------------------------


def trades(call: Call) -> Any:
    start, end = call.window()
    symbol = call.groups[0] if call.groups else ""
    found = [
        trade
        for trade in call.exchange.venue.history(call.account).trades
        if start <= trade.time_ms <= end and (not symbol or trade.symbol == symbol)
    ]
    limit = call.limit(25, 2500)
    chosen = found[:limit] if call.oldest_first else found[: -limit - 1 : -1]
    return [trade_row(trade) for trade in chosen]


def order_trades(call: Call) -> Any:
    symbol, order_id = call.groups[0], int(call.groups[1])
    rows = [
        trade_row(trade)
        for trade in call.exchange.venue.history(call.account).trades
        if trade.venue_order_id == order_id and trade.symbol == symbol
    ]
    for row in rows:
        row[7] = None
    return rows


# --- money --------------------------------------------------------------------------------------------------------


def wallets(call: Call) -> Any:
    """Here AVAILABLE is filled in."""
    account = _account(call)
    rows: list[Any] = []
    for wallet in account.wallets.values():
        row = wallet_row(changed(wallet, None, None))
        row[3] = _unsettled(call, account, wallet)
        row[4] = call.exchange.accounts.available(account, wallet.wallet_type, wallet.currency)
        rows.append(row)
    return rows


def _unsettled(call: Call, account: Account, wallet: Wallet) -> Decimal | int:
    """Interest that has run since the last was paid: what a lender gets, what a borrower owes."""
    side = {FUNDING: 1, MARGIN: -1}.get(wallet.wallet_type)
    loans = [loan for loan in account.loans.values() if loan.side == side and loan.symbol[1:] == wallet.currency]
    return sum((interest(loan, call.exchange.venue_ms()) * loan.side for loan in loans), ZERO) if loans else 0


def ledgers(call: Call) -> Any:
    start, end = call.window()
    currency, category, wallet = (
        call.groups[0] if call.groups else "",
        call.integer("category"),
        call.body.get("wallet"),
    )
    found = [
        entry
        for entry in call.exchange.venue.history(call.account).ledger
        if start <= entry.time_ms <= end
        and (not currency or entry.currency == currency)
        and (category is None or entry.category == category)
        and (wallet is None or entry.wallet_type == wallet)
    ]
    return [_ledger_row(entry) for entry in found[: -call.limit(25, 2500) - 1 : -1]]


def _ledger_row(entry: LedgerEntry) -> list[Any]:
    return [
        entry.entry_id,
        entry.currency,
        entry.wallet_type,
        entry.time_ms,
        None,
        entry.amount,
        entry.balance,
        None,
        entry.description,
    ]


WALLET_NAMES: Final = {"trading": "margin", "deposit": "funding"} | {name: name for name in WALLET_TYPES}


def transfer(call: Call) -> Any:
    source = WALLET_NAMES.get(str(call.body.get("from")))
    target = WALLET_NAMES.get(str(call.body.get("to")))
    currency = str(call.body.get("currency") or "")
    currency_to = str(call.body.get("currency_to") or currency)
    amount = decimal_parameter(call, "amount")
    if source is None or target is None or not currency:
        raise RestRefusal(ERR_PARAMS, "wallet: invalid")
    named = {name for spec in call.exchange.venue.specs.values() for name in (spec.base, spec.quote)}
    # UST is traded for nothing here, and becomes USTF0.
    if not {currency, currency_to} <= named | {name.removesuffix("F0") for name in named}:
        raise RestRefusal(ERR_PARAMS, "currency: invalid")
    # Money becomes money of contracts and back; anything else would be a trade.
    if currency.removesuffix("F0") != currency_to.removesuffix("F0"):
        raise RestRefusal(ERR_PARAMS, "currency_to: invalid")
    now_ms = call.exchange.venue_ms()
    try:
        outputs = call.exchange.venue.books.transfer(
            call.account, source, target, currency, currency_to, amount, now_ms
        )
    except ValueError:
        raise RestRefusal(ERR_GENERIC, "Not enough balance to transfer") from None
    call.exchange.accounts.apply(outputs)
    text = f"{plain(amount)} {currency} transferred from {source.title()} to {target.title()}"
    info = [now_ms, source, target, None, currency, currency_to, None, amount]
    return notice_row("acc_tf", info, "SUCCESS", text, time=now_ms)


def decimal_parameter(call: Call, name: str) -> Decimal:
    """A finite number above zero. Raises RestRefusal."""
    try:
        number = Decimal(str(call.parameter(name)))
    except ArithmeticError:
        raise RestRefusal(ERR_PARAMS, f"{name}: invalid") from None
    if not (number.is_finite() and number > 0):
        raise RestRefusal(ERR_PARAMS, f"{name}: invalid")
    return number


def order_available(call: Call) -> Any:
    """How much of a pair could be bought (dir 1) or sold (-1) at this rate."""
    account, symbol = _account(call), Symbol(str(call.body.get("symbol") or ""))
    spec = call.exchange.venue.specs.get(symbol)
    if spec is None:
        raise RestRefusal(ERR_PARAMS, "symbol: invalid")
    kind = str(call.body.get("type") or "EXCHANGE")
    buys = str(call.body.get("dir", 1)) != "-1"
    call.exchange.wake(symbol)
    price = call.exchange.venue.last_price(symbol)
    rate = decimal_parameter(call, "rate") if call.parameter("rate") not in (None, "") else price
    if kind == "DERIV" or (kind == "MARGIN" and spec.is_derivative):
        leverage = call.integer("lev", DERIVATIVE_LEVERAGE)
        if not spec.is_derivative or leverage is None or not 1 <= leverage <= 100:
            raise RestRefusal(ERR_PARAMS, "lev: invalid" if spec.is_derivative else "symbol: invalid")
        free = tradable(account, spec, call.exchange.venue.specs, call.exchange.venue.prices(), leverage)
        size = round(free / rate, 8) if rate else ZERO
        return [size if buys else -size]
    if kind in ("MARGIN", "DERIV"):
        size = call.exchange.accounts.margin_symbol_row(account, symbol)[2][2]
        return [size if buys else -size]
    if kind == "FUNDING":
        return [-account.wallet("funding", spec.quote).available]
    if not buys:
        return [-account.wallet("exchange", spec.base).available]
    if rate is None:
        return [0]
    return [round(account.wallet("exchange", spec.quote).available / rate, 8)]


# --- positions and margin -----------------------------------------------------------------------------------------


def positions(call: Call) -> Any:
    account, side = _account(call), call.exchange.accounts
    rows: list[Any] = []
    for symbol in account.positions:
        rows.append(side.position_row(side.position(account, symbol, calculated=True)))
    return rows


def closed_positions(call: Call) -> Any:
    start, end = call.window()
    history = call.exchange.venue.history(call.account).positions
    rows = [
        position_row(told, created_ms=getattr(told, "created_ms", None), updated_ms=getattr(told, "updated_ms", None))
        for told in reversed(history)
    ]
    return [row for row in rows if start <= (row[13] or 0) <= end][: call.limit(25, 500)]


def position_snapshots(call: Call) -> Any:
    """Positions as they were at each midnight."""
    start, end = call.window()
    found = [told for told in call.exchange.venue.history(call.account).snapshots if start <= told.updated_ms <= end]
    rows = [call.exchange.accounts.position_row(told) for told in found[: -call.limit(25, 500) - 1 : -1]]
    return rows


def margin_info(call: Call) -> Any:
    account, side = _account(call), call.exchange.accounts
    asked = call.groups[0]
    if asked == "base":
        return side.margin_base_row(account)
    if asked == "sym_all":
        return [
            side.margin_symbol_row(account, symbol)
            for symbol, spec in call.exchange.venue.specs.items()
            if spec.is_paper is account.paper and not spec.is_derivative
        ]
    if asked not in call.exchange.venue.specs:
        raise RestRefusal(ERR_PARAMS, "symbol: invalid")
    return side.margin_symbol_row(account, Symbol(asked))


# --- the account --------------------------------------------------------------------------------------------------


def user_info(call: Call) -> Any:
    account = _account(call)
    row: list[Any] = [None] * USER_INFO_LENGTH
    row[0:6] = [account.user_id, f"{account.name}@example.com", account.name, 1_500_000_000_000, 1, 3]
    row[7:11] = ["UTC", None, None, 1]
    row[21] = 1 if account.paper else 0
    row[26] = []
    row[49:52] = [[], [], None]
    return row


def summary(call: Call) -> Any:
    account = _account(call)
    maker, taker = account.maker_fee, account.taker_fee
    since_ms = call.exchange.venue_ms() - FEE_WINDOW_MS
    traded = [trade for trade in call.exchange.venue.history(call.account).trades if trade.time_ms > since_ms]
    total = round(sum((abs(trade.amount) * trade.price for trade in traded), ZERO), 8)
    made = round(sum((abs(trade.amount) * trade.price for trade in traded if trade.maker), ZERO), 8)
    volume = {"curr": "Total (USD)"} | dict.fromkeys(("vol", "vol_safe", "vol_BFX", "vol_BFX_safe"), total)
    volume |= dict.fromkeys(("vol_maker", "vol_BFX_maker"), made)
    fees = [
        [maker, maker, maker, None, None, Decimal("0.0002")],
        [taker, taker, taker, None, None, Decimal("0.00065")],
    ]
    leo = {"leo_lev": 0, "leo_amount_avg": 0}
    return [None, None, None, None, fees, [[volume], {}, total], [None, {}, 0], None, None, leo]


def permissions(call: Call) -> Any:
    assert call.key is not None
    return [[scope, int(call.key.may(scope, write=False)), int(call.key.may(scope, write=True))] for scope in SCOPES]


ACCOUNT_ROUTES: Final[tuple[Route, ...]] = (
    route("POST", r"auth/r/orders", open_orders, scope="orders"),
    route("POST", r"auth/r/orders/hist", closed_orders, scope="history"),
    route("POST", r"auth/r/orders/(t[^/]+)", open_orders, scope="orders"),
    route("POST", r"auth/r/orders/(t[^/]+)/hist", closed_orders, scope="history"),
    route("POST", r"auth/r/order/(t[^/]+):(\d+)/trades", order_trades, scope="history"),
    route("POST", r"auth/w/order/submit", submit, scope="orders", write=True),
    route("POST", r"auth/w/order/update", update, scope="orders", write=True),
    route("POST", r"auth/w/order/cancel", cancel, scope="orders", write=True),
    route("POST", r"auth/w/order/cancel/multi", cancel_many, scope="orders", write=True),
    route("POST", r"auth/w/order/multi", order_multi, scope="orders", write=True),
    route("POST", r"auth/r/trades/hist", trades, scope="history"),
    route("POST", r"auth/r/trades/(t[^/]+)/hist", trades, scope="history"),
    route("POST", r"auth/r/wallets", wallets, scope="wallets"),
    route("POST", r"auth/r/ledgers/hist", ledgers, scope="history"),
    route("POST", r"auth/r/ledgers/([^/]+)/hist", ledgers, scope="history"),
    route("POST", r"auth/w/transfer", transfer, scope="wallets", write=True),
    route("POST", r"auth/calc/order/avail", order_available, scope="orders"),
    route("POST", r"auth/r/positions", positions, scope="positions"),
    route("POST", r"auth/r/positions/hist", closed_positions, scope="history"),
    route("POST", r"auth/r/positions/snap", position_snapshots, scope="history"),
    route("POST", r"auth/r/positions/audit", closed_positions, scope="history"),
    route("POST", r"auth/r/info/margin/([^/]+)", margin_info, scope="positions"),
    route("POST", r"auth/r/info/user", user_info, scope="account"),
    route("POST", r"auth/r/summary", summary, scope="account"),
    route("POST", r"auth/r/permissions", permissions, scope="account"),
)
