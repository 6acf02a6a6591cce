"""gocryptotrader as its source speaks: two sockets, all default streams, orders by WebSocket, reads by REST v2.

Written from exchanges/bitfinex of the commit below; it was not run, since Go's modules are not to be had.
"""

import json
import sys
import time
import zlib
from decimal import Decimal
from typing import Any
from uuid import uuid4

from report import Report, expect
from wire import LIST, NUMBER, TEXT, Line, Rest, fits, signed

CLIENT, VERSION = "gocryptotrader (wire)", "7417b81"
CONF = 131_072 + 65_536
SNAPSHOTS = {
    "ws": {0: TEXT, 1: TEXT, 2: NUMBER, 3: NUMBER},
    "os": {0: NUMBER, 3: TEXT, 8: TEXT, 13: TEXT},
    "ps": {0: TEXT, 1: TEXT},
    "fos": {0: NUMBER},
    "fcs": {0: NUMBER},
    "fls": {0: NUMBER},
}
STREAMS: dict[str, tuple[dict[str, Any], dict[int, str], tuple[int, ...]]] = {
    "ticker": ({"channel": "ticker", "symbol": "tBTCUSD"}, {0: NUMBER, 2: NUMBER, 6: NUMBER, 9: NUMBER}, (10, 11)),
    "public trades": ({"channel": "trades", "symbol": "tBTCUSD"}, dict.fromkeys(range(4), NUMBER), (4, 5)),
    "candles": ({"channel": "candles", "key": "trade:1m:tBTCUSD"}, dict.fromkeys(range(6), NUMBER), (6,)),
    "candles of funding": ({"channel": "candles", "key": "trade:1m:fUSD:p30"}, dict.fromkeys(range(6), NUMBER), (6,)),
    "ticker of funding": ({"channel": "ticker", "symbol": "fUSD"}, {0: NUMBER, 12: NUMBER, 15: NUMBER}, (16, 17)),
    "book of funding R0": (
        {"channel": "book", "symbol": "fUSD", "len": 100, "prec": "R0"},
        dict.fromkeys(range(4), NUMBER),
        (4,),
    ),
    "book R0": (
        {"channel": "book", "symbol": "tBTCUSD", "len": 100, "prec": "R0"},
        dict.fromkeys(range(3), NUMBER),
        (3,),
    ),
}
"""What it subscribes to unless told otherwise, and what it reads of each row. `len` is a number."""
NOTICE = {1: TEXT, 4: LIST, 6: TEXT, 7: TEXT}
TRADE = dict.fromkeys((0, 2, 3, 4, 5, 7, 8), NUMBER) | {1: TEXT, 6: TEXT}
RESTS: dict[str, tuple[str, dict[int, str], int]] = {
    "tickers?symbols=ALL": ("tickers?symbols=ALL", {0: TEXT, 1: NUMBER}, 2),
    "book R0": ("book/tBTCUSD/R0?len=100", dict.fromkeys(range(3), NUMBER), 50),
    "candles": ("candles/trade:1m:tBTCUSD/hist?limit=10&sort=1", dict.fromkeys(range(6), NUMBER), 10),
    "trades": ("trades/tBTCUSD/hist?limit=5&sort=0", dict.fromkeys(range(4), NUMBER), 5),
    "contracts": ("status/deriv?keys=tBTCF0%3AUSTF0", {0: TEXT, 1: NUMBER}, 1),
}


def main(rest: str, websocket: str, key: str, secret: str) -> int:
    report = Report(CLIENT, VERSION)
    public, private = Line(websocket), Line(websocket)
    with report.operation("two sockets, authenticate with seconds as nonce, snapshots, then conf"):
        nonce = str(int(time.time()))
        payload = f"AUTH{nonce}"
        auth = {"event": "auth", "apiKey": key, "authPayload": payload, "authSig": signed(secret, payload)}
        private.say(auth | {"authNonce": nonce})
        expect(private.event("auth")["status"] == "OK", "authenticated")
        for kind, shape in SNAPSHOTS.items():
            for row in _account(private, kind):
                fits(row, shape, kind)
        public.say({"event": "conf", "flags": CONF})
        expect(public.event("conf")["status"] == "OK", "the flags are set")
    streams(report, public)
    orders(report, private)
    reads(report, Rest(rest), key, secret)
    public.close()
    private.close()
    return report.failed


def _account(line: Line, kind: str) -> Any:
    """The snapshots come in an order of the exchange's own; one that has passed is found among what was heard."""
    for frame in line.heard:
        if isinstance(frame, list) and frame[:2] == [0, kind]:
            return frame[2]
    return line.account(kind)


def streams(report: Report, line: Line) -> None:
    numbers = {}
    for name, (wish, shape, lengths) in STREAMS.items():
        with report.operation(f"{name}: its own subId comes back, its rows are read"):
            sub_id = str(uuid4())
            line.say(wish | {"event": "subscribe", "subId": sub_id})
            answer = line.event("subscribed")
            expect(answer["subId"] == sub_id and isinstance(answer["chanId"], int), f"the answer is its own: {answer}")
            number = numbers[name] = answer["chanId"]
            frame = line.hear(lambda found, number=number: isinstance(found, list) and found[0] == number)
            fits(frame, {1: LIST, 2: NUMBER}, "the first frame, with its number")
            rows = frame[1] if isinstance(frame[1][0], list) else [frame[1]]
            for row in rows:
                fits(row, shape, name, lengths=lengths)
    with report.operation("public trades: te and tu"):
        for kind in ("te", "tu"):
            frame = line.hear(lambda found, kind=kind: isinstance(found, list) and found[1] == kind)
            fits(frame[2], dict.fromkeys(range(4), NUMBER), kind, lengths=(4,))
    with report.operation("book R0: the sum over its ids and amounts agrees"):
        _sums(line, numbers["book R0"])
    with report.operation("a second subscription is refused with its subId, a code and a text"):
        line.say({"event": "subscribe", "channel": "ticker", "symbol": "tBTCUSD", "subId": "again"})
        refusal = line.event("error", subId="again")
        expect(isinstance(refusal["code"], int) and refusal["msg"], "both are there")
    with report.operation("unsubscribe is answered with the channel"):
        line.say({"event": "unsubscribe", "chanId": numbers["ticker"]})
        line.event("unsubscribed", chanId=numbers["ticker"])


def _sums(line: Line, number: int, wanted: int = 4) -> None:
    """It checks a sum only where the next number is of the same book, and before it takes that in; here each is."""
    book: dict[int, tuple[float, float]] = {}
    found = [frame for frame in line.heard if isinstance(frame, list) and frame[0] == number]
    agreed = at = 0
    while agreed < wanted:
        if at == len(found):
            found.append(line.hear(lambda frame: isinstance(frame, list) and frame[0] == number))
        frame, at = found[at], at + 1
        if frame[1] == "hb":
            continue
        if frame[1] == "cs":
            fits(frame, {2: NUMBER, 3: NUMBER}, "a sum and its number")
            expect(_sum(book) == frame[2] & 0xFFFFFFFF, "the sum agrees")
            agreed += 1
            continue
        for order, price, amount in frame[1] if isinstance(frame[1][0], list) else [frame[1]]:
            if price > 0:
                book[order] = (price, amount)
            else:
                expect(amount in (1, -1) and book.pop(order, None), "a deletion names its side and an order it knows")


def _sum(book: dict[int, tuple[float, float]]) -> int:
    rows = [(order, price, amount) for order, (price, amount) in book.items()]
    bids = sorted((row for row in rows if row[2] > 0), key=lambda row: (-row[1], row[0]))[:25]
    asks = sorted((row for row in rows if row[2] < 0), key=lambda row: (row[1], row[0]))[:25]
    parts = []
    for at in range(25):
        for side in (bids, asks):
            if at < len(side):
                parts += [str(side[at][0]), f"{Decimal(repr(side[at][2])).normalize():f}"]
    return zlib.crc32(":".join(parts).encode())


def orders(report: Report, line: Line) -> None:
    order_id = 0
    limit = {"cid": 1, "type": "EXCHANGE LIMIT", "symbol": "tBTCUSD", "amount": "0.01", "price": "5000"}

    def notice(kind: str, at: int, number: int) -> Any:
        row = line.account("n", lambda row: row[1] == kind and row[4] and row[4][at] == number)
        fits(row, NOTICE, kind)
        return row

    with report.operation("place: the notice is found by cid, the order by id"):
        line.say([0, "on", None, limit])
        row = notice("on-req", 2, 1)
        order_id = row[4][0]
        expect(row[6] == "SUCCESS" and order_id > 0, "it is placed")
        fits(line.account("on"), {0: NUMBER, 3: TEXT, 6: NUMBER, 7: NUMBER, 8: TEXT, 13: TEXT, 16: NUMBER}, "on")
    with report.operation("amend: the notice is found by id"):
        line.say([0, "ou", None, {"id": order_id, "price": "4900", "amount": "0.02"}])
        expect(notice("ou-req", 0, order_id)[6] == "SUCCESS", "it is amended")
        expect(line.account("ou")[16] == 4900, "and told")
    with report.operation("cancel: the notice is found by id"):
        line.say([0, "oc", None, {"id": order_id}])
        expect(notice("oc-req", 0, order_id)[6] == "SUCCESS", "it is canceled")
        expect(line.account("oc", lambda row: row[0] == order_id)[13].split(" @ ")[0] == "CANCELED", "and told")
    with report.operation("a refused order: the notice is found by cid, and says why"):
        line.say([0, "on", None, limit | {"cid": 2, "amount": "1000"}])
        row = notice("on-req", 2, 2)
        expect(row[6] == "ERROR" and "not enough" in row[7], f"refused with a reason, was {row[6:]}")
    with report.operation("cancel several by id, and all"):
        placed = []
        for cid in (3, 4, 5):
            line.say([0, "on", None, limit | {"cid": cid}])
            placed.append(notice("on-req", 2, cid)[4][0])
        line.say([0, "oc_multi", None, {"id": placed[:2]}])
        closed = {line.account("oc")[0] for _ in range(2)}
        line.say([0, "oc_multi", None, {"all": 1}])
        closed.add(line.account("oc")[0])
        expect(closed == set(placed), "each is told")
    with report.operation("a market order: its status before the @, te and tu"):
        line.say([0, "on", None, limit | {"cid": 6, "type": "EXCHANGE MARKET", "price": "0"}])
        fits(line.account("te"), TRADE, "te")
        fits(line.account("tu"), TRADE | {9: NUMBER, 10: TEXT}, "tu")
        status = next(
            frame[2][13]
            for frame in line.heard
            if isinstance(frame, list) and frame[:2] == [0, "oc"] and frame[2][2] == 6
        )
        expect(status.split(" @ ")[0] == "EXECUTED", f"executed, was {status}")


def reads(report: Report, rest: Rest, key: str, secret: str) -> None:
    for name, (path, shape, least) in RESTS.items():
        with report.operation(f"REST {name}"):
            rows = rest.get(f"/v2/{path}")
            expect(len(rows) >= least, f"at least {least} rows, were {len(rows)}")
            for row in rows:
                fits(row, shape, name)

    def send(path: str, nonce: int, params: dict[str, Any] | None = None) -> tuple[int, Any]:
        payload = "" if params is None else json.dumps(params, separators=(",", ":"))
        headers = {"Content-Type": "application/json", "Accept": "application/json", "bfx-apikey": key}
        headers |= {"bfx-nonce": str(nonce), "bfx-signature": signed(secret, f"/api/v2/{path}{nonce}{payload}")}
        return rest.ask("POST", f"/v2/{path}", payload, headers)

    def post(path: str, params: dict[str, Any] | None = None) -> Any:
        # Its own nonce is too large (below); microseconds are not.
        status, answer = send(path, time.time_ns() // 1000, params)
        expect(status == 200, f"{path} is answered with 200, was {status} {answer}")
        return answer

    with report.operation("REST signed: its nonce of nanoseconds is above the documented limit, and refused"):
        answer = send("auth/r/wallets", int(time.time()) * 10**9)
        expect(answer == (500, ["error", 10114, "nonce: small"]), f"refused with a code, was {answer}")
    with report.operation("REST signed, no body at all: wallets, user"):
        for row in post("auth/r/wallets"):
            fits(row, {0: TEXT, 1: TEXT, 2: NUMBER, 3: NUMBER}, "a wallet")
        fits(post("auth/r/info/user"), {0: NUMBER, 1: TEXT, 2: TEXT}, "the user")
    with report.operation("REST signed, with a body: the history of orders"):
        rows = post("auth/r/orders/tBTCUSD/hist", {"limit": 5})
        expect(0 < len(rows) <= 5, "as many as it asked for, at most")
        for row in rows:
            fits(row, {0: NUMBER, 3: TEXT, 4: NUMBER, 6: NUMBER, 8: TEXT, 13: TEXT, 16: NUMBER}, "an order")


if __name__ == "__main__":
    rest_url, websocket_url, _, api_key, api_secret = sys.argv[1:]
    sys.exit(1 if main(rest_url, websocket_url, api_key, api_secret) else 0)
