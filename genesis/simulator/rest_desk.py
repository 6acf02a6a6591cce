"""REST endpoints around an account: money in and out, positions by hand, alerts, settings, tokens, logins."""

import hashlib
from decimal import Decimal
from typing import Any, Final

from genesis.domain.pairs import PairSpec
from genesis.domain.venue_ledger import position_change
from genesis.domain.venue_margin import collateral_limits as contract_limits
from genesis.domain.venue_margin import leverage_of
from genesis.domain.venue_state import Movement
from genesis.simulator.alerts import Alert
from genesis.simulator.rest import Call, RestRefusal, Route, route
from genesis.simulator.rest_account import WALLET_NAMES, decimal_parameter
from protocols.bitfinex.account import notice_row, wallet_row
from protocols.bitfinex.errors import ERR_GENERIC, ERR_PARAMS
from protocols.orders import VenueWallet
from protocols.units import ZERO, Symbol, round_amount

ERR_COLLATERAL: Final = 110202
METHODS: Final = {"bitcoin": "BTC", "ethereum": "ETH", "wire": "USD"}
TOKEN_LIFE_S: Final = 120
LARGEST_TOKEN_LIFE_S: Final = 86_400
TOKEN_CAPS: Final = {
    "a": "account",
    "o": "orders",
    "f": "funding",
    "s": "settings",
    "w": "wallets",
    "wd": "withdraw",
}


def _currency(call: Call) -> tuple[str, str]:
    method = str(call.body.get("method") or "").lower()
    currency = METHODS.get(method, method.upper())
    known = {currency for spec in call.exchange.venue.specs.values() for currency in (spec.base, spec.quote)}
    if currency not in known:
        raise RestRefusal(ERR_PARAMS, "method: invalid")
    return method, currency


def _wallet_type(call: Call) -> str:
    wallet_type = WALLET_NAMES.get(str(call.body.get("wallet") or "exchange"))
    if wallet_type is None:
        raise RestRefusal(ERR_PARAMS, "wallet: invalid")
    return wallet_type


# --- money in and out ---------------------------------------------------------------------------------------------


def deposit_address(call: Call) -> Any:
    """An address that nobody else has; what is sent there never arrives, as the venue is made up."""
    method, currency = _currency(call)
    info = [None, method.upper(), currency, None, _address(call.account, _wallet_type(call), method), None]
    return notice_row("acc_dep", info, "SUCCESS", "success", time=call.exchange.venue_ms())


def _address(account: str, wallet_type: str, method: str) -> str:
    return f"sim{hashlib.sha256(f'{account}:{wallet_type}:{method}'.encode()).hexdigest()[:40]}"


def deposit_invoice(call: Call) -> Any:
    """A Lightning invoice that nobody can pay: [hash, invoice, null, null, amount]."""
    if str(call.body.get("currency") or "LNX") != "LNX" or _wallet_type(call) != "exchange":
        raise RestRefusal(ERR_PARAMS, "currency: invalid")
    amount = decimal_parameter(call, "amount")
    made_up = hashlib.sha256(f"{call.account}:{amount}:{call.exchange.venue_ms()}".encode()).hexdigest()
    return [made_up, f"lnbc{made_up}", None, None, amount]


def withdraw(call: Call) -> Any:
    method, currency = _currency(call)
    wallet_type, amount = _wallet_type(call), decimal_parameter(call, "amount")
    address = str(call.body.get("address") or "")
    payment_id, note = call.body.get("payment_id"), call.body.get("note")
    now_ms = call.exchange.venue_ms()
    if not address:
        raise RestRefusal(ERR_PARAMS, "address: invalid")
    try:
        movement, outputs = call.exchange.venue.books.withdraw(
            call.account,
            wallet_type,
            currency,
            amount,
            now_ms,
            method=method.upper(),
            address=address[:200],
            payment_id=None if payment_id is None else str(payment_id)[:200],
            note=None if note is None else str(note)[:200],
        )
    except ValueError:
        raise RestRefusal(ERR_GENERIC, f"Invalid withdrawal: not enough {wallet_type} balance") from None
    call.exchange.accounts.apply(outputs)
    info = [movement.movement_id, None, method, movement.payment_id, wallet_type, amount, None, None, ZERO]
    text = "Your withdrawal request has been successfully submitted."
    return notice_row("acc_wd-req", info, "SUCCESS", text, time=now_ms)


def _movement_row(movement: Movement, length: int) -> list[Any]:
    row: list[Any] = [None] * length
    row[0:3] = [movement.movement_id, movement.currency, movement.method]
    row[5:7] = [movement.time_ms, movement.time_ms]
    row[9] = "COMPLETED"
    row[12:14] = [movement.amount, movement.fee]
    row[16:18] = [movement.address, movement.payment_id]
    row[20:22] = [hashlib.sha256(str(movement.movement_id).encode()).hexdigest(), movement.note]
    return row


def movements(call: Call) -> Any:
    start, end = call.window()
    currency = call.groups[0] if call.groups else ""
    found = [
        movement
        for movement in call.exchange.venue.history(call.account).movements
        if start <= movement.time_ms <= end and (not currency or movement.currency == currency)
    ]
    return [_movement_row(movement, 22) for movement in found[: -call.limit(25, 2500) - 1 : -1]]


def movement_info(call: Call) -> Any:
    wanted = call.integer("id")
    for movement in call.exchange.venue.history(call.account).movements:
        if movement.movement_id == wanted:
            return _movement_row(movement, 32)
    raise RestRefusal(ERR_GENERIC, "Movement not found.")


def past_wallets(call: Call) -> Any:
    """Balances as they were at `end`, from the ledger."""
    _, end = call.window()
    wanted = call.body.get("currency")
    account, history = call.exchange.venue.accounts[call.account], call.exchange.venue.history(call.account)
    rows: list[Any] = []
    for wallet in account.wallets.values():
        later = [
            entry
            for entry in history.ledger
            if (entry.wallet_type, entry.currency) == (wallet.wallet_type, wallet.currency)
        ]
        if wanted is not None and wallet.currency != wanted:
            continue
        balance = wallet.balance - sum((entry.amount for entry in later if entry.time_ms > end), ZERO)
        told = VenueWallet(
            session=0,
            wallet_type=wallet.wallet_type,
            currency=wallet.currency,
            balance=balance,
            available=None,
            received_ns=0,
        )
        row = wallet_row(told)
        row[5:7] = [None, min(end, call.exchange.venue_ms())]
        rows.append(row)
    return rows


# --- positions by hand --------------------------------------------------------------------------------------------


def claim(call: Call) -> Any:
    account = call.exchange.venue.accounts[call.account]
    wanted = call.integer("id")
    position = next((each for each in account.positions.values() if each.position_id == wanted), None)
    if position is None:
        raise RestRefusal(ERR_GENERIC, "Position not found.")
    quantity = abs(position.amount) if call.body.get("amount") is None else _size(call)
    now_ms = call.exchange.venue_ms()
    row = call.exchange.accounts.position_row(
        call.exchange.accounts.position(account, position.symbol, calculated=True)
    )
    try:
        outputs = call.exchange.venue.books.claim(call.account, position.symbol, quantity, now_ms)
    except ValueError as error:
        raise RestRefusal(ERR_GENERIC, f"Invalid claim: {error}") from None
    call.exchange.accounts.apply(outputs)
    return notice_row("pm-req", row, "SUCCESS", "Position claimed", time=now_ms)


def _size(call: Call) -> Decimal:
    try:
        return abs(Decimal(str(call.body.get("amount"))))
    except ArithmeticError:
        raise RestRefusal(ERR_PARAMS, "amount: invalid") from None


def _spec(call: Call) -> PairSpec:
    spec = call.exchange.venue.specs.get(Symbol(str(call.body.get("symbol") or "")))
    if spec is None:
        raise RestRefusal(ERR_PARAMS, "symbol: invalid")
    return spec


def increase_info(call: Call) -> Any:
    """What could be added to a position from the wallets."""
    spec, account = _spec(call), call.exchange.venue.accounts[call.account]
    position = account.positions.get(spec.symbol)
    current = ZERO if position is None else position.amount
    size = call.exchange.accounts.margin_symbol_row(account, spec.symbol)[2][2]
    base, quote = account.wallet("margin", spec.base), account.wallet("margin", spec.quote)
    balances = [quote.available, quote.balance, base.available, base.balance, None, None, None, None]
    return [
        [current + size, current],
        [base.available, balances, 0],
        None,
        None,
        [0, 0],
        [spec.quote, spec.quote],
    ]


def increase(call: Call) -> Any:
    """The reverse of a claim: what lies in the margin wallet becomes a position at the last price."""
    spec = _spec(call)
    price, amount = call.exchange.venue.last_price(spec.symbol), _signed(call, "amount")
    if spec.is_derivative or spec.initial_margin is None or price is None:
        raise RestRefusal(ERR_PARAMS, "symbol: invalid")
    now_ms = call.exchange.venue_ms()
    try:
        outputs = call.exchange.venue.books.increase(call.account, spec, amount, price, now_ms)
    except ValueError as error:
        raise RestRefusal(ERR_GENERIC, f"Invalid increase: {error}") from None
    call.exchange.venue.positions_changed(spec.symbol)
    call.exchange.accounts.apply(outputs)
    account = call.exchange.venue.accounts[call.account]
    row = call.exchange.accounts.position_row(call.exchange.accounts.position(account, spec.symbol, calculated=True))
    return notice_row("pmi-req", row, "SUCCESS", "Position increased", time=now_ms)


def _signed(call: Call, name: str) -> Decimal:
    try:
        number = round_amount(Decimal(str(call.body.get(name))))
    except ArithmeticError:
        raise RestRefusal(ERR_PARAMS, f"{name}: invalid") from None
    if not number.is_finite() or number == 0:
        raise RestRefusal(ERR_PARAMS, f"{name}: invalid")
    return number


def funding_type(call: Call) -> Any:
    spec = _spec(call)
    if spec.symbol not in call.exchange.venue.accounts[call.account].positions:
        raise RestRefusal(ERR_GENERIC, "Position not found.")
    return notice_row("puft-req", None, "SUCCESS", "Funding type changed", time=call.exchange.venue_ms())


def set_collateral(call: Call) -> Any:
    spec, amount = _spec(call), decimal_parameter(call, "collateral")
    position = call.exchange.venue.accounts[call.account].positions.get(spec.symbol)
    price = call.exchange.venue.value_price(spec.symbol)
    if position is None or price is None or not spec.is_derivative:
        raise RestRefusal(ERR_GENERIC, "Position not found.")
    account = call.exchange.venue.accounts[call.account]
    least, most = contract_limits(account, position, spec, call.exchange.venue.specs, price)
    if amount < least:
        raise RestRefusal(ERR_COLLATERAL, "collateral: market risk")
    if amount > most:
        raise RestRefusal(ERR_GENERIC, "Invalid collateral: not enough margin balance")
    position.collateral, position.updated_ms = amount, call.exchange.venue_ms()
    position.leverage = leverage_of(position)
    call.exchange.accounts.apply([(account.name, position_change(position, "pu"))])
    return [[1]]


def collateral_limits(call: Call) -> Any:
    spec = _spec(call)
    account = call.exchange.venue.accounts[call.account]
    position, price = account.positions.get(spec.symbol), call.exchange.venue.value_price(spec.symbol)
    if position is None or price is None or not spec.is_derivative:
        raise RestRefusal(ERR_GENERIC, "Position not found.")
    least, most = contract_limits(account, position, spec, call.exchange.venue.specs, price)
    return [round(least, 8), round(most, 8)]


# --- what clients keep here ---------------------------------------------------------------------------------------


def alerts(call: Call) -> Any:
    return [alert.row() for alert in call.exchange.alerts.of(call.account)]


def set_alert(call: Call) -> Any:
    spec, price = _spec(call), decimal_parameter(call, "price")
    if str(call.body.get("type") or "price") != "price":
        raise RestRefusal(ERR_PARAMS, "type: invalid")
    count = call.integer("count", 100)
    alert = Alert(account=call.account, symbol=spec.symbol, price=price, count=max(1, count or 1))
    call.exchange.alerts.set(alert, call.exchange.venue.last_price(spec.symbol))
    return alert.row()


def delete_alert(call: Call) -> Any:
    symbol, price = call.groups[0] or str(call.body.get("symbol")), call.groups[1] or str(call.body.get("price"))
    try:
        gone = call.exchange.alerts.delete(call.account, symbol, Decimal(price))
    except ArithmeticError:
        raise RestRefusal(ERR_PARAMS, "price: invalid") from None
    if not gone:
        raise RestRefusal(ERR_GENERIC, "Alert not found.")
    return [True]


def settings(call: Call) -> Any:
    keys, kept = call.body.get("keys"), call.exchange.venue.accounts[call.account].settings
    if not isinstance(keys, list):
        raise RestRefusal(ERR_PARAMS, "keys: invalid")
    return [[key, kept[key]] for key in keys if isinstance(key, str) and key in kept]


def set_settings(call: Call) -> Any:
    fresh, kept = call.body.get("settings"), call.exchange.venue.accounts[call.account].settings
    if not isinstance(fresh, dict) or not all(key.startswith("api:") for key in fresh) or len(kept) > 1000:
        raise RestRefusal(ERR_PARAMS, "settings: invalid")
    kept.update({key: _kept(value) for key, value in fresh.items()})
    call.exchange.save()
    return notice_row("acc_ss", [len(fresh)], "SUCCESS", "success", time=call.exchange.venue_ms())


def _kept(value: Any) -> Any:
    """The body was read with exact fractions; what is kept must be able to become JSON again."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: _kept(item) for key, item in value.items()}
    return [_kept(item) for item in value] if isinstance(value, list) else value


def delete_settings(call: Call) -> Any:
    named, kept = call.body.get("settings", call.body.get("keys")), call.exchange.venue.accounts[call.account].settings
    keys = list(named) if isinstance(named, dict | list) else []
    gone = [kept.pop(key) for key in keys if isinstance(key, str) and key in kept]
    call.exchange.save()
    return notice_row("acc_sd", [len(gone)], "SUCCESS", "success", time=call.exchange.venue_ms())


def token(call: Call) -> Any:
    """A token that may stand for the key: never more than the key may, and not for long."""
    assert call.key is not None
    life_s = call.integer("ttl", TOKEN_LIFE_S) or TOKEN_LIFE_S
    caps = call.body.get("caps")
    if str(call.body.get("scope") or "api") != "api" or not 0 < life_s <= LARGEST_TOKEN_LIFE_S:
        raise RestRefusal(ERR_PARAMS, "scope: invalid")
    scopes = None
    if isinstance(caps, list):
        scopes = {TOKEN_CAPS.get(str(cap), "") for cap in caps} | {"history", "positions"}
    writes = call.body.get("writePermission") is not False
    return [call.exchange.accounts.tokens.issue(call.key, life_s, scopes, writes=writes)]


def delete_token(call: Call) -> Any:
    call.exchange.accounts.tokens.withdraw(str(call.body.get("token") or ""))
    return [True]


def logins(call: Call) -> Any:
    start, end = call.window()
    found = [login for login in call.exchange.accounts.logins if login.account == call.account]
    rows = [
        [login.number, None, login.time_ms, None, login.peer.rpartition(":")[0], None, None, '{"user_agent":"api"}']
        for login in reversed(found)
        if start <= login.time_ms <= end
    ]
    return rows[: call.limit(25, 250)]


def audit(call: Call) -> Any:
    """The changes of an account that are known here: its logins."""
    start, end = call.window()
    found = [login for login in call.exchange.accounts.logins if login.account == call.account]
    rows = [
        [login.time_ms, None, "User logged in with an API key", None, None, login.peer.rpartition(":")[0], "api"]
        for login in reversed(found)
        if start <= login.time_ms <= end
    ]
    return rows[: call.limit(25, 500)]


def deposit_addresses(call: Call) -> Any:
    """All addresses of a method: there is one for each wallet."""
    method, currency = _currency(call)
    return [
        [None, method.upper(), currency, None, _address(call.account, wallet, method), None]
        for wallet in ("exchange", "margin", "funding")
    ]


def nothing(call: Call) -> Any:
    return []


DESK_ROUTES: Final[tuple[Route, ...]] = (
    route("POST", r"auth/r/wallets/hist", past_wallets, scope="wallets"),
    route("POST", r"auth/w/deposit/address", deposit_address, per_minute=10, scope="wallets", write=True),
    route("POST", r"auth/w/deposit/invoice", deposit_invoice, per_minute=10, scope="wallets", write=True),
    route("POST", r"auth/r/ext/invoice/payments", nothing, scope="wallets"),
    route("POST", r"auth/r/deposit/address/all", deposit_addresses, per_minute=10, scope="wallets"),
    route("POST", r"auth/w/withdraw", withdraw, scope="withdraw", write=True),
    route("POST", r"auth/r/movements/hist", movements, scope="history"),
    route("POST", r"auth/r/movements/info", movement_info, scope="history"),
    route("POST", r"auth/r/movements/([^/]+)/hist", movements, scope="history"),
    route("POST", r"auth/w/position/claim", claim, scope="positions", write=True),
    route("POST", r"auth/w/position/increase", increase, scope="positions", write=True),
    route("POST", r"auth/r/position/increase/info", increase_info, scope="positions"),
    route("POST", r"auth/w/position/update/funding/type", funding_type, scope="positions", write=True),
    route("POST", r"auth/w/deriv/collateral/set", set_collateral, scope="positions", write=True),
    route("POST", r"auth/calc/deriv/collateral/limits?", collateral_limits, scope="positions"),
    route("POST", r"auth/w/deriv/collateral/limits", collateral_limits, scope="positions"),
    route("POST", r"auth/r/alerts", alerts, per_minute=45, scope="settings"),
    route("POST", r"auth/w/alert/set", set_alert, scope="settings", write=True),
    route("POST", r"auth/w/alert/price:(t[^/]+):([0-9.]+)/del", delete_alert, scope="settings", write=True),
    route("POST", r"auth/w/alert/()()del", delete_alert, scope="settings", write=True),
    route("POST", r"auth/r/settings", settings, scope="settings"),
    route("POST", r"auth/w/settings/set", set_settings, scope="settings", write=True),
    route("POST", r"auth/w/settings/del", delete_settings, scope="settings", write=True),
    route("POST", r"auth/w/token", token, scope="account"),
    route("POST", r"auth/w/token/del", delete_token, scope="account"),
    route("POST", r"auth/r/logins/hist", logins, scope="account"),
    route("POST", r"auth/r/audit/hist", audit, scope="account"),
    route("POST", r"auth/r/orders/otc(?:/t[^/]+)?/hist", nothing, scope="history"),
)
