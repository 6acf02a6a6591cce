"""Bitfinex.Net (C#, with CryptoExchange.Net) as its source speaks: every frame must carry the next number.

Written from the source of the version below; it was not run, since NuGet's packages are not to be had.
"""

import json
import sys
import time
from typing import Any

from report import Report, expect
from wire import FLAG, LIST, NUMBER, NUMBER_OR_NULL, TEXT, TEXT_OR_NULL, Line, Rest, fits, signed

CLIENT, VERSION = "Bitfinex.Net (wire)", "11.2.0"
CONF = 32_768 + 65_536 + 131_072 + 536_870_912
"""Time stamps, numbers, checksums and bulk updates, as it asks for after every greeting."""
NOTHING: dict[str, Any] = dict.fromkeys(("symbol", "prec", "freq", "len", "key"))
"""What it does not want it says too, as null."""
BTC = "tBTCUSD"
ORDER = {0: NUMBER, 1: NUMBER_OR_NULL, 2: NUMBER_OR_NULL, 3: TEXT, 4: NUMBER, 5: NUMBER, 6: NUMBER, 7: NUMBER, 8: TEXT}
ORDER |= {9: TEXT_OR_NULL, 10: NUMBER_OR_NULL, 12: NUMBER_OR_NULL, 13: TEXT, 16: NUMBER, 17: NUMBER_OR_NULL}
ORDER |= {18: NUMBER_OR_NULL, 19: NUMBER_OR_NULL, 23: FLAG, 24: FLAG, 25: NUMBER_OR_NULL}
WALLET = {0: TEXT, 1: TEXT, 2: NUMBER, 3: NUMBER, 4: NUMBER_OR_NULL}
TRADE = dict.fromkeys((0, 2, 3, 4, 5), NUMBER) | {1: TEXT, 6: TEXT, 7: NUMBER_OR_NULL, 8: NUMBER}
STREAMS: dict[str, tuple[dict[str, Any], dict[int, str]]] = {
    "ticker": ({"channel": "ticker", "symbol": BTC}, dict.fromkeys(range(10), NUMBER)),
    "ticker of funding": ({"channel": "ticker", "symbol": "fUSD"}, dict.fromkeys((0, 9, 12, 15), NUMBER)),
    "public trades": ({"channel": "trades", "symbol": BTC}, dict.fromkeys(range(4), NUMBER)),
    "candles": ({"channel": "candles", "key": f"trade:1m:{BTC}"}, dict.fromkeys(range(6), NUMBER)),
    "book": (
        {"channel": "book", "symbol": BTC, "prec": "P0", "freq": "F0", "len": "25"},
        dict.fromkeys(range(3), NUMBER),
    ),
    "book R0": (
        {"channel": "book", "symbol": BTC, "prec": "R0", "freq": "F0", "len": "100"},
        dict.fromkeys(range(3), NUMBER),
    ),
}
NOTICE = {0: NUMBER, 1: TEXT, 4: LIST, 6: TEXT, 7: TEXT_OR_NULL}


class Numbers:
    """Its own law: a frame that is neither the last number again nor the next makes it connect anew."""

    def __init__(self) -> None:
        self.last = 0
        self.holes: list[Any] = []

    def see(self, frame: Any) -> None:
        if not isinstance(frame, list):
            return
        at = 3 if isinstance(frame[1], str) and frame[1] != "hb" else 2
        number = frame[at] if len(frame) > at else 0
        if self.last and number not in (self.last, self.last + 1):
            self.holes.append((self.last, frame))
        self.last = number


def main(rest: str, websocket: str, key: str, secret: str) -> int:
    report = Report(CLIENT, VERSION)
    public, private = Numbers(), Numbers()
    line, own = Line(websocket, public.see), Line(websocket, private.see)
    with report.operation("a greeting without code is answered with conf, and conf is answered"):
        for one in (line, own):
            expect("code" not in one.event("info"), "a greeting has no code")
            one.say({"event": "conf", "flags": CONF})
            one.event("conf")
    streams(report, line)
    with report.operation("authenticate: text as nonce, filter null; snapshots with time stamps"):
        nonce = str(time.time_ns() // 1000)
        auth = {"event": "auth", "apiKey": key, "authPayload": f"AUTH{nonce}", "authNonce": nonce, "filter": None}
        own.say(auth | {"authSig": signed(secret, f"AUTH{nonce}")})
        expect(own.event("auth")["status"] == "OK", "authenticated")
        wallets = own.hear(lambda frame: isinstance(frame, list) and frame[:2] == [0, "ws"])
        for row in wallets[2]:
            fits(row, WALLET, "a wallet")
        fits(wallets, {3: NUMBER, 5: NUMBER}, "number and time of an account frame")
    orders(report, own)
    with report.operation("the next number on every frame, of the market and of the account"):
        expect(not public.holes and not private.holes, f"no hole, were {(public.holes + private.holes)[:2]}"[:250])
    with report.operation("a wrong key: auth is answered with a status and a code"):
        other = Line(websocket)
        nonce = str(time.time_ns() // 1000)
        auth = {"event": "auth", "apiKey": "nobody", "authPayload": f"AUTH{nonce}", "authNonce": nonce}
        other.say(auth | {"authSig": signed("wrong", f"AUTH{nonce}"), "filter": None})
        answer = other.event("auth")
        expect(answer["status"] != "OK" and answer["code"] == 10100, f"10100, was {answer}")
        other.close()
    reads(report, Rest(rest), key, secret)
    line.close()
    own.close()
    return report.failed


def streams(report: Report, line: Line) -> None:
    numbers = {}
    for name, (wish, shape) in STREAMS.items():
        with report.operation(f"{name}: all it asked for comes back in the answer, a number and a time on each frame"):
            line.say({"event": "subscribe"} | NOTHING | wish)
            answer = line.event("subscribed", **wish)
            expect(all(answer.get(key) in (None, wish.get(key)) for key in NOTHING), f"nothing besides, was {answer}")
            number = numbers[name] = answer["chanId"]
            frame = line.hear(lambda found, number=number: isinstance(found, list) and found[0] == number)
            fits(frame, {1: LIST, 2: NUMBER, 3: NUMBER}, "the first frame")
            for row in frame[1] if isinstance(frame[1][0], list) else [frame[1]]:
                fits(row, shape, name)
    with report.operation("public trades: te with a number and a time"):
        frame = line.hear(lambda found: isinstance(found, list) and found[1] == "te")
        fits(frame, {2: LIST, 3: NUMBER, 4: NUMBER}, "te")
    with report.operation("a checksum with a number and a time, of 32 bits with a sign"):
        frame = line.hear(lambda found: isinstance(found, list) and found[1] == "cs")
        fits(frame, {2: NUMBER, 3: NUMBER, 4: NUMBER}, "cs")
        expect(-(2**31) <= frame[2] < 2**31, f"it fits, was {frame[2]}")
    with report.operation("a second subscription: the error names all it asked for, and says dup"):
        wish = STREAMS["book"][0]
        line.say({"event": "subscribe"} | NOTHING | wish)
        expect(line.event("error", **wish)["msg"] == "subscribe: dup", "it knows that text")
    with report.operation("unsubscribe is answered with the channel alone"):
        line.say({"event": "unsubscribe", "chanId": numbers["candles"]})
        answer = line.event("unsubscribed", chanId=numbers["candles"])
        expect(not set(answer) & set(NOTHING), f"nothing that would be part of its name, was {answer}")


def orders(report: Report, line: Line) -> None:
    limit = {"type": "EXCHANGE LIMIT", "symbol": BTC, "amount": "0.01", "price": "5000"}
    limit |= {"meta": {"aff_code": "kCCe-CNBO"}}

    def ask(kind: str, body: dict[str, Any]) -> Any:
        line.say([0, kind, None, body])
        row = line.account("n")
        fits(row, NOTICE, "a notice")
        return row

    with report.operation("place, amend with a delta, cancel by id"):
        row = ask("on", limit | {"cid": 71})
        fits(row[4], ORDER, "the order of the notice")
        expect(row[6] == "SUCCESS", f"placed, was {row[6:]}")
        number = row[4][0]
        expect(ask("ou", {"id": number, "delta": "0.01", "price": "4900"})[6] == "SUCCESS", "amended")
        fits(line.account("ou", lambda row: row[7] == 0.02), ORDER, "ou")
        expect(ask("oc", {"id": number})[6] == "SUCCESS", "canceled")
        fits(line.account("oc", lambda row: row[0] == number), ORDER, "oc")
    with report.operation("a trailing stop, its distance as a number"):
        row = ask("on", {"type": "EXCHANGE TRAILING STOP", "symbol": BTC, "amount": "-0.01", "price_trailing": 1500})
        expect(row[6] == "SUCCESS" and row[4][18] == 1500, f"placed with its distance, was {row}"[:250])
    with report.operation("cancel several: by pairs of group and null, then all"):
        ask("on", limit | {"gid": 9})
        row = ask("oc_multi", {"gid": [[9]]})
        expect(row[6] == "SUCCESS", f"the group is canceled, was {row[6:]}")
        expect(ask("oc_multi", {"all": True})[6] == "SUCCESS", "all are canceled")
    with report.operation("an order beyond the balance begins with the words it knows"):
        row = ask("on", limit | {"amount": "1000"})
        expect(
            row[6] == "ERROR" and row[7].startswith("Invalid order: not enough exchange balance for"), f"was {row[7]}"
        )
    with report.operation("a market order: te, tu and wallets"):
        ask("on", {"type": "EXCHANGE MARKET", "symbol": BTC, "amount": "0.01"})
        fits(line.account("te"), TRADE, "te")
        fits(line.account("tu"), TRADE | {9: NUMBER, 10: TEXT}, "tu")


def reads(report: Report, rest: Rest, key: str, secret: str) -> None:
    def post(path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        text, nonce = json.dumps(body or {}, separators=(",", ":")), str(time.time_ns() // 1000)
        headers = {"Accept": "application/json", "Content-Type": "application/json; charset=utf-8", "bfx-apikey": key}
        headers |= {"bfx-nonce": nonce, "bfx-signature": signed(secret, f"/api{path}{nonce}{text}")}
        return rest.ask("POST", path, text, headers)

    with report.operation("REST: wallets, open orders and trades, with an empty object for a body"):
        for path, shape in (("wallets", WALLET), ("orders", ORDER), ("trades/hist", TRADE)):
            status, rows = post(f"/v2/auth/r/{path}")
            expect(status == 200, f"{path}: 200, was {status} {rows}")
            for row in rows:
                fits(row, shape, path)
    with report.operation("REST: submit and cancel, the notice is read by place"):
        body = {"symbol": BTC, "price": "5000", "amount": "0.01", "type": "EXCHANGE LIMIT", "cid": 77, "flags": 0}
        status, answer = post("/v2/auth/w/order/submit", body | {"meta": {"aff_code": "kCCe-CNBO"}})
        expect(status == 200, f"200, was {status} {answer}")
        fits(answer, {0: NUMBER, 1: TEXT, 4: LIST, 5: NUMBER_OR_NULL, 6: TEXT, 7: TEXT}, "the notice")
        fits(answer[4][0], ORDER, "the order")
        status, answer = post("/v2/auth/w/order/cancel", {"id": answer[4][0][0]})
        expect(status == 200, f"200, was {status} {answer}")
        fits(answer[4], ORDER, "the order that is canceled")
    with report.operation("REST: an error is a list of a word, a code and a text"):
        status, answer = post(
            "/v2/auth/w/order/submit", {"symbol": BTC, "price": "5000", "amount": "1000", "type": "EXCHANGE LIMIT"}
        )
        fits(answer, {0: TEXT, 1: NUMBER, 2: TEXT}, "the refusal")
        expect(status >= 400 and answer[1] == 10001, f"10001, was {status} {answer}")
        expect(
            answer[2].startswith("Invalid order: not enough exchange balance for"),
            f"the words it knows, were {answer[2]}",
        )


if __name__ == "__main__":
    rest_url, websocket_url, _, api_key, api_secret = sys.argv[1:]
    sys.exit(1 if main(rest_url, websocket_url, api_key, api_secret) else 0)
