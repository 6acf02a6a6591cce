"""picows on uvloop with msgspec and plain dictionaries: how near a client can come to the socket itself."""

import asyncio
import sys
import time
from typing import Any

import msgspec
import picows
import uvloop

LAST_ID = 999_999_999
SUBSCRIPTIONS = (
    {"channel": "ticker", "symbol": "tBTCUSD"},
    {"channel": "trades", "symbol": "tBTCUSD"},
    {"channel": "candles", "key": "trade:1m:tBTCUSD"},
    {"channel": "book", "symbol": "tBTCUSD", "prec": "P0", "freq": "F0", "len": "25"},
)
decode = msgspec.json.Decoder().decode
encode = msgspec.json.Encoder().encode


class Listener(picows.WSListener):
    def __init__(self, messages: int, over: asyncio.Event) -> None:
        self.messages = messages
        self.over = over
        self.channels: dict[int, str] = {}
        self.newest: dict[str, Any] = {}
        self.book: dict[float, list[float]] = {}
        self.began = 0.0

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        message = decode(frame.get_payload_as_memoryview())
        if isinstance(message, dict):
            if message["event"] == "info":
                for subscription in SUBSCRIPTIONS:
                    transport.send(picows.WSMsgType.TEXT, encode({"event": "subscribe", **subscription}))
            elif message["event"] == "subscribed":
                self.channels[message["chanId"]] = message["channel"]
            return
        channel, row = self.channels[message[0]], message[1]
        if channel == "book":
            for level in row if isinstance(row[0], list) else (row,):
                if level[1]:
                    self.book[level[0]] = level
                else:
                    self.book.pop(level[0], None)
            if not isinstance(row[0], list):
                self.began = self.began or time.process_time()
        elif channel == "trades":
            self.newest["trades"] = row
            if row == "te" and message[2][0] == LAST_ID:
                print((time.process_time() - self.began) / self.messages * 1e6, flush=True)
                self.over.set()
        else:
            self.newest[channel] = row


async def main(port: str, messages: int) -> None:
    over = asyncio.Event()
    transport, _ = await picows.ws_connect(lambda: Listener(messages, over), f"ws://127.0.0.1:{port}")
    await over.wait()
    transport.disconnect()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
