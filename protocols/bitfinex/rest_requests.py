"""REST requests as values: method, path, query, body, and whether asking twice can do harm.

Nothing is sent or signed here. `rest_headers` of `auth` signs the path and the exact bytes of the body.
"""

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from protocols.bitfinex.errors import LocalProtocolError
from protocols.bitfinex.inputs import cancel_fields, cancel_many_fields, command_fields, submit_fields, update_fields
from protocols.bitfinex.numbers import write_json
from protocols.orders import CancelOrder, SubmitOrder, UpdateOrder, VenueCommand, commands_of

LARGEST_HISTORY: Final = 2500
LARGEST_PUBLIC: Final = 10_000


class RestRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One question. `path` begins with `v2/`; `query` is encoded; `kind` names the endpoint for budgets and metrics.

    `repeatable` requests change nothing, so they may be asked again after any failure. Writes may only be repeated
    when the venue is known to have refused them (10114, 429).
    """

    method: str
    path: str
    kind: str
    query: str = ""
    body: bytes = b""
    signed: bool = False
    repeatable: bool = True

    @property
    def target(self) -> str:
        """Path and query, as in the address."""
        return f"/{self.path}?{self.query}" if self.query else f"/{self.path}"


def _public(kind: str, path: str, **query: Any) -> RestRequest:
    given = {name: value for name, value in query.items() if value is not None}
    return RestRequest(method="GET", path=f"v2/{path}", kind=kind, query=urlencode(given, safe=":,"))


def _signed(kind: str, path: str, *, repeatable: bool = True, **fields: Any) -> RestRequest:
    given = {name: value for name, value in fields.items() if value is not None}
    return RestRequest(
        method="POST",
        path=f"v2/auth/{path}",
        kind=kind,
        body=write_json(given),
        signed=True,
        repeatable=repeatable,
    )


def _part(text: str) -> str:
    """One part of a path; a colon stays as it is, as all clients sign it."""
    if not text or "/" in text or "?" in text:
        raise LocalProtocolError(f"path part must be a plain name, was {text!r}")
    return quote(text, safe=":,")


def _limit(limit: int | None, most: int) -> int | None:
    if limit is not None and not 0 < limit <= most:
        raise LocalProtocolError(f"limit must be in 1..{most}, was {limit}")
    return limit


# --- public -------------------------------------------------------------------------------------------------------


def platform_status() -> RestRequest:
    return _public("platform/status", "platform/status")


def ticker(symbol: str) -> RestRequest:
    return _public("ticker", f"ticker/{_part(symbol)}")


def tickers(symbols: Iterable[str] = ("ALL",)) -> RestRequest:
    return _public("tickers", "tickers", symbols=",".join(symbols))


def ticker_history(
    symbols: Iterable[str], *, start_ms: int | None = None, end_ms: int | None = None, limit: int | None = None
) -> RestRequest:
    return _public(
        "tickers/hist",
        "tickers/hist",
        symbols=",".join(symbols),
        start=start_ms,
        end=end_ms,
        limit=_limit(limit, 250),
    )


def trades(
    symbol: str,
    *,
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int | None = None,
    oldest_first: bool = False,
) -> RestRequest:
    """To page forward ask oldest first and move `start_ms`: with `start_ms` alone the newest rows come."""
    return _public(
        "trades/hist",
        f"trades/{_part(symbol)}/hist",
        start=start_ms,
        end=end_ms,
        limit=_limit(limit, LARGEST_PUBLIC),
        sort=1 if oldest_first else None,
    )


def book(symbol: str, precision: str = "P0", length: int = 25) -> RestRequest:
    return _public("book", f"book/{_part(symbol)}/{_part(precision)}", len=length)


def candles(
    key: str,
    *,
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int | None = None,
    oldest_first: bool = False,
    last: bool = False,
) -> RestRequest:
    """`key` as `trade:1m:tBTCUSD`."""
    return _public(
        "candles",
        f"candles/{_part(key)}/{'last' if last else 'hist'}",
        start=start_ms,
        end=end_ms,
        limit=_limit(limit, LARGEST_PUBLIC),
        sort=1 if oldest_first else None,
    )


def conf(labels: Iterable[str]) -> RestRequest:
    return _public("conf", f"conf/{_part(','.join(labels))}")


def derivative_status(symbols: Iterable[str] = ("ALL",)) -> RestRequest:
    return _public("status/deriv", "status/deriv", keys=",".join(symbols))


def derivative_history(
    symbol: str, *, start_ms: int | None = None, end_ms: int | None = None, limit: int | None = None
) -> RestRequest:
    return _public(
        "status/deriv/hist",
        f"status/deriv/{_part(symbol)}/hist",
        start=start_ms,
        end=end_ms,
        limit=_limit(limit, 5000),
    )


def liquidations(*, start_ms: int | None = None, end_ms: int | None = None, limit: int | None = None) -> RestRequest:
    return _public("liquidations/hist", "liquidations/hist", start=start_ms, end=end_ms, limit=_limit(limit, 500))


def statistics(key: str, *, last: bool = False, limit: int | None = None) -> RestRequest:
    """`key` as `pos.size:1m:tBTCUSD:long`."""
    return _public("stats1", f"stats1/{_part(key)}/{'last' if last else 'hist'}", limit=_limit(limit, LARGEST_PUBLIC))


def funding_statistics(symbol: str, *, limit: int | None = None) -> RestRequest:
    return _public("funding/stats", f"funding/stats/{_part(symbol)}/hist", limit=_limit(limit, 250))


def rankings(key: str, *, limit: int | None = None) -> RestRequest:
    """`key` as `vol:3h:tBTCUSD`."""
    return _public("rankings", f"rankings/{_part(key)}/hist", limit=_limit(limit, LARGEST_PUBLIC))


def average_price(symbol: str, amount: str, *, period: int | None = None) -> RestRequest:
    fields = {"symbol": symbol, "amount": amount} | ({} if period is None else {"period": period})
    return RestRequest(method="POST", path="v2/calc/trade/avg", kind="calc/trade/avg", body=write_json(fields))


def exchange_rate(base: str, quote_currency: str) -> RestRequest:
    return RestRequest(
        method="POST",
        path="v2/calc/fx",
        kind="calc/fx",
        body=write_json({"ccy1": base, "ccy2": quote_currency}),
    )


# --- orders -------------------------------------------------------------------------------------------------------


def submit_order(order: SubmitOrder) -> RestRequest:
    return _signed("auth/w/order/submit", "w/order/submit", repeatable=False, **submit_fields(order))


def update_order(order: UpdateOrder) -> RestRequest:
    return _signed("auth/w/order/update", "w/order/update", repeatable=False, **update_fields(order))


def cancel_order(order: CancelOrder) -> RestRequest:
    return _signed("auth/w/order/cancel", "w/order/cancel", repeatable=False, **cancel_fields(order))


def cancel_orders(
    *,
    venue_ids: Iterable[int] = (),
    cids: Iterable[tuple[int, str]] = (),
    group_ids: Iterable[int] = (),
    everything: bool = False,
) -> RestRequest:
    """There is no order/cancel/all: `everything` says it here, for the whole account."""
    fields = cancel_many_fields(venue_ids=venue_ids, cids=cids, group_ids=group_ids, everything=everything)
    return _signed("auth/w/order/cancel/multi", "w/order/cancel/multi", repeatable=False, **fields)


def many_orders(commands: Iterable[VenueCommand]) -> RestRequest:
    operations = [list(command_fields(each)) for command in commands for each in commands_of(command)]
    return _signed("auth/w/order/multi", "w/order/multi", repeatable=False, ops=operations)


def open_orders(symbol: str | None = None, *, venue_ids: Iterable[int] = ()) -> RestRequest:
    path = f"r/orders/{_part(symbol)}" if symbol else "r/orders"
    return _signed("auth/r/orders", path, id=list(venue_ids) or None)


def order_history(
    symbol: str | None = None,
    *,
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int | None = None,
    venue_ids: Iterable[int] = (),
) -> RestRequest:
    """Closed orders of the last two weeks, newest first; times are those of creation."""
    path = f"r/orders/{_part(symbol)}/hist" if symbol else "r/orders/hist"
    return _signed(
        "auth/r/orders/hist",
        path,
        start=start_ms,
        end=end_ms,
        limit=_limit(limit, LARGEST_HISTORY),
        id=list(venue_ids) or None,
    )


def order_trades(symbol: str, venue_id: int) -> RestRequest:
    return _signed("auth/r/order/trades", f"r/order/{_part(symbol)}:{venue_id}/trades")


def own_trades(
    symbol: str | None = None,
    *,
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int | None = None,
    oldest_first: bool = False,
) -> RestRequest:
    path = f"r/trades/{_part(symbol)}/hist" if symbol else "r/trades/hist"
    return _signed(
        "auth/r/trades/hist",
        path,
        start=start_ms,
        end=end_ms,
        limit=_limit(limit, LARGEST_HISTORY),
        sort=1 if oldest_first else None,
    )


# --- wallets, positions, margin -----------------------------------------------------------------------------------


def wallets() -> RestRequest:
    return _signed("auth/r/wallets", "r/wallets")


def ledgers(
    currency: str | None = None,
    *,
    category: int | None = None,
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int | None = None,
) -> RestRequest:
    path = f"r/ledgers/{_part(currency)}/hist" if currency else "r/ledgers/hist"
    return _signed(
        "auth/r/ledgers/hist",
        path,
        category=category,
        start=start_ms,
        end=end_ms,
        limit=_limit(limit, LARGEST_HISTORY),
    )


def movements(
    currency: str | None = None, *, start_ms: int | None = None, end_ms: int | None = None, limit: int | None = None
) -> RestRequest:
    path = f"r/movements/{_part(currency)}/hist" if currency else "r/movements/hist"
    return _signed("auth/r/movements/hist", path, start=start_ms, end=end_ms, limit=_limit(limit, LARGEST_HISTORY))


def transfer(
    *, from_wallet: str, to_wallet: str, currency: str, amount: str, currency_to: str | None = None
) -> RestRequest:
    """Between two wallets of the same account."""
    fields = {"from": from_wallet, "to": to_wallet, "currency": currency, "amount": amount, "currency_to": currency_to}
    return _signed("auth/w/transfer", "w/transfer", repeatable=False, **fields)


def positions() -> RestRequest:
    return _signed("auth/r/positions", "r/positions")


def position_history(
    *, start_ms: int | None = None, end_ms: int | None = None, limit: int | None = None
) -> RestRequest:
    return _signed("auth/r/positions/hist", "r/positions/hist", start=start_ms, end=end_ms, limit=_limit(limit, 50))


def position_snapshots(
    *, start_ms: int | None = None, end_ms: int | None = None, limit: int | None = None
) -> RestRequest:
    return _signed("auth/r/positions/snap", "r/positions/snap", start=start_ms, end=end_ms, limit=_limit(limit, 500))


def position_audit(venue_ids: Iterable[int], *, limit: int | None = None) -> RestRequest:
    return _signed("auth/r/positions/audit", "r/positions/audit", id=list(venue_ids) or None, limit=_limit(limit, 250))


def margin_info(key: str = "base") -> RestRequest:
    """`base`, a symbol, or `sym_all`."""
    return _signed("auth/r/info/margin", f"r/info/margin/{_part(key)}")


def claim_position(venue_id: int, amount: str) -> RestRequest:
    return _signed("auth/w/position/claim", "w/position/claim", repeatable=False, id=venue_id, amount=amount)


def set_collateral(symbol: str, collateral: str) -> RestRequest:
    return _signed(
        "auth/w/deriv/collateral/set",
        "w/deriv/collateral/set",
        repeatable=False,
        symbol=symbol,
        collateral=collateral,
    )


def available_balance(
    symbol: str, *, direction: int, rate: str | None, order_type: str, leverage: int | None = None
) -> RestRequest:
    """`direction` 1 buys, -1 sells; `order_type` is EXCHANGE, MARGIN, DERIV or FUNDING."""
    return _signed(
        "auth/calc/order/avail",
        "calc/order/avail",
        symbol=symbol,
        dir=direction,
        rate=rate,
        type=order_type,
        lev=leverage,
    )


# --- funding ------------------------------------------------------------------------------------------------------


def _funding(what: str, symbol: str | None, history: bool) -> RestRequest:
    path = f"r/funding/{what}" + (f"/{_part(symbol)}" if symbol else "") + ("/hist" if history else "")
    return _signed(f"auth/r/funding/{what}", path)


def funding_offers(symbol: str | None = None, *, history: bool = False) -> RestRequest:
    return _funding("offers", symbol, history)


def funding_loans(symbol: str | None = None, *, history: bool = False) -> RestRequest:
    return _funding("loans", symbol, history)


def funding_credits(symbol: str | None = None, *, history: bool = False) -> RestRequest:
    return _funding("credits", symbol, history)


def funding_trades(symbol: str | None = None) -> RestRequest:
    return _funding("trades", symbol, True)


def funding_info(symbol: str) -> RestRequest:
    return _signed("auth/r/info/funding", f"r/info/funding/{_part(symbol)}")


def submit_offer(*, wire_type: str, symbol: str, amount: str, rate: str, period: int, flags: int = 0) -> RestRequest:
    return _signed(
        "auth/w/funding/offer/submit",
        "w/funding/offer/submit",
        repeatable=False,
        type=wire_type,
        symbol=symbol,
        amount=amount,
        rate=rate,
        period=period,
        flags=flags,
    )


def cancel_offer(venue_id: int) -> RestRequest:
    return _signed("auth/w/funding/offer/cancel", "w/funding/offer/cancel", repeatable=False, id=venue_id)


def cancel_offers(currency: str | None = None) -> RestRequest:
    return _signed("auth/w/funding/offer/cancel/all", "w/funding/offer/cancel/all", repeatable=False, currency=currency)


# --- the account --------------------------------------------------------------------------------------------------


def user_info() -> RestRequest:
    return _signed("auth/r/info/user", "r/info/user")


def summary() -> RestRequest:
    return _signed("auth/r/summary", "r/summary")


def permissions() -> RestRequest:
    return _signed("auth/r/permissions", "r/permissions")


def logins(*, start_ms: int | None = None, end_ms: int | None = None, limit: int | None = None) -> RestRequest:
    return _signed("auth/r/logins/hist", "r/logins/hist", start=start_ms, end=end_ms, limit=_limit(limit, 250))


def alerts() -> RestRequest:
    return _signed("auth/r/alerts", "r/alerts", type="price")


def set_alert(symbol: str, price: str, *, count: int = 1) -> RestRequest:
    return _signed(
        "auth/w/alert/set", "w/alert/set", repeatable=False, type="price", symbol=symbol, price=price, count=count
    )


def delete_alert(symbol: str, price: str) -> RestRequest:
    return _signed("auth/w/alert/del", f"w/alert/price:{_part(symbol)}:{_part(price)}/del", repeatable=False)
