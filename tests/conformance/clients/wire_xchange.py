"""XChange and xchange-stream (Java) as their source speaks: pairs as `pair`, one socket for all, reads by REST v2.

Written from the source of the commit below; it was not run, since Maven's packages are not to be had. Its orders go
by REST v1, which no exchange of ours serves; nor does its stream place any.
"""

import json
import sys
import time
from typing import Any

from report import Report, expect
from wire import LIST, NUMBER, NUMBER_OR_NULL, TEXT, Line, Rest, fits, signed

CLIENT, VERSION = "XChange (wire)", "beb5ddf"
PAIR = "tBTCUSD"
STREAMS: dict[str, tuple[dict[str, Any], dict[int, str], str]] = {
    "ticker": ({"channel": "ticker"}, dict.fromkeys((0, 1, 2, 3, 6, 7, 8, 9), NUMBER), ""),
    "book": ({"channel": "book", "prec": "P0", "len": "100"}, dict.fromkeys(range(3), NUMBER), ""),
    "public trades": ({"channel": "trades"}, dict.fromkeys(range(4), NUMBER), "te"),
}
"""What each asks for, what is read of each row, and the kind of frame that is taken (none: all)."""
BALANCE = {0: TEXT, 1: TEXT, 2: NUMBER, 3: NUMBER, 4: NUMBER_OR_NULL}
ORDER = {0: NUMBER, 3: TEXT, 4: NUMBER, 5: NUMBER, 6: NUMBER, 7: NUMBER, 8: TEXT, 13: TEXT, 16: NUMBER}
TRADE = {0: NUMBER, 1: TEXT, 2: NUMBER, 3: NUMBER, 4: NUMBER, 5: NUMBER, 6: TEXT, 7: NUMBER, 8: NUMBER}
OPEN_ORDER = ORDER | {23: NUMBER, 24: NUMBER}
"""Two flags it reads as whole numbers: a yes or no would stop it."""
PUBLIC: dict[str, tuple[str, dict[int, str], int]] = {
    "tickers": (f"tickers?symbols={PAIR},fUSD", {0: TEXT, 1: NUMBER, 10: NUMBER}, 2),
    "book": (f"book/{PAIR}/P0?len=100", dict.fromkeys(range(3), NUMBER), 20),
    "book R0": (f"book/{PAIR}/R0?len=25", dict.fromkeys(range(3), NUMBER), 20),
    "book of funding": ("book/fUSD/P0?len=25", dict.fromkeys(range(4), NUMBER), 2),
    "trades": (f"trades/{PAIR}/hist?limit=5&start=0&end=0&sort=-1", dict.fromkeys(range(4), NUMBER), 5),
    "candles": (f"candles/trade:1m:{PAIR}/hist?limit=3", dict.fromkeys(range(6), NUMBER), 3),
    "contracts": ("status/deriv?keys=tBTCF0:USTF0", {0: TEXT, 1: NUMBER, 3: NUMBER, 4: NUMBER, 15: NUMBER}, 1),
}
SIGNED: dict[str, tuple[str, str, dict[int, str]]] = {
    "wallets": ("auth/r/wallets", "", BALANCE),
    "open orders": (f"auth/r/orders/{PAIR}", "", OPEN_ORDER),
    "trades": ("auth/r/trades/hist", "?limit=5&sort=-1", TRADE | {9: NUMBER, 10: TEXT}),
    "trades of a pair": (f"auth/r/trades/{PAIR}/hist", "?limit=5", TRADE | {9: NUMBER, 10: TEXT}),
    "ledger": ("auth/r/ledgers/hist", "?limit=5", {0: NUMBER, 1: TEXT, 3: NUMBER, 5: NUMBER, 6: NUMBER, 8: TEXT}),
    "positions": ("auth/r/positions", "", {0: TEXT, 1: TEXT, 2: NUMBER, 3: NUMBER, 11: NUMBER}),
    "movements": ("auth/r/movements/hist", "?limit=5", {0: NUMBER, 1: TEXT}),
}


def main(rest: str, websocket: str, key: str, secret: str) -> int:
    report = Report(CLIENT, VERSION)
    line = Line(websocket)
    with report.operation("the greeting is answered with auth, milliseconds in text as nonce; balances and orders"):
        expect(line.event("info")["version"] == 2, "version 2")
        nonce = str(time.time_ns() // 1_000_000)
        auth = {"event": "auth", "apiKey": key, "authPayload": f"AUTH{nonce}", "authNonce": nonce}
        line.say(auth | {"authSig": signed(secret, f"AUTH{nonce}")})
        expect(line.event("auth")["status"] == "OK", "authenticated")
        line.account("fls")
        for row in next(frame[2] for frame in line.heard if frame_of(frame, "ws")):
            fits(row, BALANCE, "a balance", least=5)
    streams(report, line)
    account(report, line)
    reads(report, Rest(rest), key, secret)
    line.close()
    return report.failed


def frame_of(frame: Any, kind: str) -> bool:
    """It takes an account frame only of three elements: it sets no flags that would add any."""
    return isinstance(frame, list) and len(frame) == 3 and frame[:2] == [0, kind]


def streams(report: Report, line: Line) -> None:
    numbers: dict[str, int] = {}
    for name, (wish, shape, kind) in STREAMS.items():
        with report.operation(f"{name}: asked for by pair, answered with the symbol"):
            line.say({"event": "subscribe", "pair": PAIR} | wish)
            answer = line.event("subscribed", channel=wish["channel"])
            expect(answer["symbol"] == PAIR, f"its name for the channel is of that, was {answer}")
            number = numbers[name] = answer["chanId"]
            frame = line.hear(
                lambda found, number=number, kind=kind: (
                    isinstance(found, list)
                    and found[0] == number
                    and found[1] != "hb"
                    and (not kind or found[1] == kind)
                )
            )
            rows = frame[2] if kind else frame[1]
            fits(rows, {0: LIST} if name == "book" else {}, "the first frame", least=1)
            for row in rows if isinstance(rows[0], list) else [rows]:
                fits(row, shape, name)
    with report.operation("a wrong symbol is told as 10300"):
        line.say({"event": "subscribe", "channel": "ticker", "pair": "tNOPEUSD"})
        expect(line.event("error")["code"] == 10300, "10300")
    with report.operation("a second subscription is told as 10301"):
        line.say({"event": "subscribe", "channel": "ticker", "pair": PAIR})
        expect(line.event("error")["code"] == 10301, "10301")
    with report.operation("unsubscribe, the channel as text"):
        line.say({"event": "unsubscribe", "chanId": str(numbers["book"])})
        expect(line.event("unsubscribed")["chanId"] == numbers["book"], "the same channel")


def account(report: Report, line: Line) -> None:
    order = {"cid": 81, "type": "EXCHANGE MARKET", "symbol": PAIR, "amount": "0.01"}
    with report.operation("an order's frames of three elements: on, te, tu, oc, wu"):
        line.say([0, "on", None, order])
        wanted = {"te": (TRADE, 12), "tu": (TRADE | {9: NUMBER, 10: TEXT}, 11), "oc": (ORDER, 32), "wu": (BALANCE, 5)}
        while wanted:
            frame = line.hear(lambda found: isinstance(found, list) and found[0] == 0 and found[1] in wanted)
            shape, least = wanted.pop(frame[1])
            expect(len(frame) == 3, "three elements")
            fits(frame[2], shape, frame[1], least=least)
    with report.operation("calc of wallets, eight currencies in three wallets each at once"):
        names = [f"wallet_{wallet}_USD" for wallet in ("exchange", "margin", "funding")]
        line.say([0, "calc", None, [[name] for name in names]])
        row = line.account("wu", lambda row: row[1] == "USD" and row[4] is not None)
        fits(row, BALANCE | {4: NUMBER}, "a balance with what is available", least=5)


def reads(report: Report, rest: Rest, key: str, secret: str) -> None:
    # The market has just begun: what is asked for may not have happened yet.
    patience = time.monotonic() + 20.0
    for name, (path, shape, least) in PUBLIC.items():
        with report.operation(f"REST {name}"):
            rows = rest.get(f"/v2/{path}")
            while len(rows) < least and time.monotonic() < patience:
                time.sleep(0.2)
                rows = rest.get(f"/v2/{path}")
            expect(len(rows) >= least, f"at least {least} rows, were {len(rows)}")
            for row in rows:
                fits(row, shape, name)

    def post(path: str, query: str = "", body: str = "{}") -> tuple[int, Any]:
        # The query is no part of what is signed.
        nonce = str(time.time_ns() // 1_000_000)
        headers = {"Accept": "application/json", "Content-Type": "application/json", "bfx-apikey": key}
        headers |= {"bfx-nonce": nonce, "bfx-signature": signed(secret, f"/api/v2/{path}{nonce}{body}")}
        time.sleep(0.002)
        return rest.ask("POST", f"/v2/{path}{query}", body, headers)

    for name, (path, query, shape) in SIGNED.items():
        with report.operation(f"REST signed: {name}"):
            status, rows = post(path, query)
            expect(status == 200 and isinstance(rows, list), f"200, was {status} {rows}")
            for row in rows:
                fits(row, shape, name)
    with report.operation("REST signed: the query bounds what is told"):
        expect(len(post("auth/r/ledgers/hist", "?limit=1")[1]) == 1, "one entry")
    with report.operation("REST signed: transfer between wallets, the notice is read by place"):
        body = {"from": "exchange", "to": "margin", "currency": "USD", "amount": "1"}
        status, answer = post("auth/w/transfer", body=json.dumps(body, separators=(",", ":")))
        expect(status == 200, f"200, was {status} {answer}")
        fits(answer, {0: NUMBER, 1: TEXT, 4: LIST, 6: TEXT, 7: TEXT}, "the notice")
        fits(answer[4], {0: NUMBER, 1: TEXT, 2: TEXT, 4: TEXT, 7: NUMBER}, "the transfer")
    with report.operation("REST: an error is a list of a word, a code and a text"):
        status, answer = rest.ask("POST", "/v2/auth/r/wallets", "{}", {"bfx-apikey": key, "bfx-nonce": "1"})
        fits(answer, {0: TEXT, 1: NUMBER, 2: TEXT}, "the refusal")
        expect(status >= 400, f"no success, was {status}")


if __name__ == "__main__":
    rest_url, websocket_url, _, api_key, api_secret = sys.argv[1:]
    sys.exit(1 if main(rest_url, websocket_url, api_key, api_secret) else 0)
