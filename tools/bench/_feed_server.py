"""A venue that only talks: it answers subscriptions, then sends one prepared day as fast as it is read, or at a rate.

    python -m tools.bench._feed_server MESSAGES RATE [START_MS] [CHANNELS]

Prints its port and serves until it is killed; some clients open sockets on which they ask for nothing. Every client
gets the same messages, with the numbers and stamps of the flags that it asked for: of eight five book updates, one
ticker, one candle, one trade, and at the end the trade `LAST_ID`. RATE is messages a second; 0 sends as fast as the
client reads. START_MS is the time of the first message; CHANNELS are how many subscriptions a client makes before it
is told anything: one that asks for no candles hears tickers instead. It is a process of its own, so that its work is
nobody's CPU time.
"""

import base64
import contextlib
import hashlib
import itertools
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

LAST_ID: Final = 999_999_999
SYMBOL: Final = "tBTCUSD"
MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
LEVELS: Final = 25
CHANNELS: Final = {"ticker": 11, "candles": 12, "trades": 13, "book": 14}
START_MS: Final = 1_542_045_600_000
SEQ_ALL: Final = 65_536
TIMESTAMP: Final = 32_768
CHUNK: Final = 256
"""Messages a write: what some milliseconds of a busy market put into one read."""


def frame(payload: bytes) -> bytes:
    """A server's text frame: not masked, not cut."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    return b"\x81\x7e" + struct.pack(">H", size) + payload


def say(message: dict[str, Any] | list[Any]) -> bytes:
    return frame(json.dumps(message, separators=(",", ":")).encode())


def pair_of(request: dict[str, Any]) -> str:
    """Of the one symbol that a client asks for, whichever it is."""
    return str(request.get("symbol") or request.get("key", SYMBOL).rpartition(":")[2])[1:]


def snapshots(start_ms: int) -> dict[str, list[Any]]:
    book = [[8000 - level, 2, 1.5 + level] for level in range(LEVELS)]
    book += [[8001 + level, 2, -1.5 - level] for level in range(LEVELS)]
    return {
        "ticker": [8000, 10.5, 8001, 11.5, -3.5, -0.0167, 8000.5, 83021.5, 8216.4, 7907.9],
        "candles": [[start_ms, 8000, 8001, 8005, 7990, 12.5]],
        "trades": [[1, start_ms, 0.5, 8000.5]],
        "book": book,
    }


def day(messages: int, flags: int, start_ms: int, asked: set[str]) -> Iterator[bytes]:
    """The same for everybody, but for what flags add to each message."""
    sequence = len(asked)
    for index in range(messages):
        kind, level = index % 8, index * 7 % LEVELS
        kind = 5 if kind == 6 and "candles" not in asked else kind
        if kind < 5:
            price, sign = (8000 - level, 1) if index % 2 else (8001 + level, -1)
            body = b"[14,[%d,%d,%.4f]" % (price, 1 + index % 5, sign * (0.5 + index % 97 / 10))
        elif kind == 5:
            body = b"[11,[8000,53.5,8001,18.25,-3.5,-0.0167,%.1f,83021.5,8216.4,7907.9]" % (8000 + level / 10)
        elif kind == 6:
            body = b"[12,[%d,8000.5,%.1f,8330.5,7900.25,%d.125]" % (start_ms, 8000 + level / 10, index)
        else:
            trade_id = LAST_ID if index == messages - 1 else index + 10
            body = b'[13,"te",[%d,%d,-0.4251,%.1f]' % (trade_id, start_ms + index, 8000 + level / 10)
        sequence += 1
        body += b",%d" % sequence if flags & SEQ_ALL else b""
        body += b",%d" % (start_ms + index) if flags & TIMESTAMP else b""
        yield frame(body + b"]")


class Client:
    """The one socket, read frame by frame."""

    def __init__(self, sock: socket.socket, start_ms: int) -> None:
        self._sock = sock
        self._start_ms = start_ms
        self._buffer = b""
        self.flags = 0

    def _more(self) -> None:
        data = self._sock.recv(65_536)
        if not data:
            raise SystemExit(0)
        self._buffer += data

    def shake_hands(self) -> None:
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        lines = (line.split(b":", 1) for line in head.split(b"\r\n")[1:])
        key = next(value.strip() for name, value in lines if name.lower() == b"sec-websocket-key")
        accept = base64.b64encode(hashlib.sha1(key + MAGIC, usedforsecurity=False).digest())
        self._sock.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self.say({"event": "info", "version": 2, "serverId": "bench", "platform": {"status": 1}})

    def say(self, message: dict[str, Any] | list[Any]) -> None:
        self._sock.sendall(say(message))

    def _need(self, size: int) -> None:
        while len(self._buffer) < size:
            self._more()

    def next_message(self) -> dict[str, Any]:
        """The next JSON object it says; pings are answered, and nothing here is longer than 64 KiB."""
        while True:
            self._need(2)
            opcode, size, at = self._buffer[0] & 15, self._buffer[1] & 127, 2
            if size == 126:
                self._need(4)
                size, at = struct.unpack(">H", self._buffer[2:4])[0], 4
            self._need(at + 4 + size)
            mask, coded = self._buffer[at : at + 4], self._buffer[at + 4 : at + 4 + size]
            self._buffer = self._buffer[at + 4 + size :]
            payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(coded))
            if opcode == 9:
                self._sock.sendall(bytes((0x8A, len(payload))) + payload)
            elif opcode == 8:
                raise SystemExit(0)
            elif opcode == 1:
                message = json.loads(payload)
                if isinstance(message, dict):
                    return message

    def subscriptions(self, channels: int) -> set[str]:
        """Answer until so many channels of the one symbol are subscribed: which they are."""
        asked: set[str] = set()
        told, sequence = snapshots(self._start_ms), 0
        while len(asked) < channels:
            request = self.next_message()
            match request.get("event"):
                case "conf":
                    self.flags = int(request["flags"])
                    self.say({"event": "conf", "status": "OK", "flags": self.flags})
                case "ping":
                    self.say({"event": "pong", "cid": request.get("cid"), "ts": self._start_ms})
                case "subscribe":
                    channel = request["channel"]
                    number = CHANNELS[channel]
                    self.say({**request, "event": "subscribed", "chanId": number, "pair": pair_of(request)})
                    sequence += 1
                    extra = [sequence] if self.flags & SEQ_ALL else []
                    extra += [self._start_ms] if self.flags & TIMESTAMP else []
                    self.say([number, told[channel], *extra])
                    asked.add(channel)
        return asked


def talk(sock: socket.socket, messages: int, rate: int, start_ms: int, channels: int) -> None:
    # Whoever has heard enough hangs up.
    with sock, contextlib.suppress(ConnectionError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = Client(sock, start_ms)
        client.shake_hands()
        asked = client.subscriptions(channels)
        frames = day(messages, client.flags, start_ms, asked)
        if not rate:
            # Made before, so that the client is never the faster one; at a rate there is time.
            frames = iter(list(frames))
        # The client digests its snapshots first, so that all of its work is on what follows.
        time.sleep(0.5)
        size = max(1, rate // 200) if rate else CHUNK
        due = time.monotonic()
        for _ in range(0, messages, size):
            sock.sendall(b"".join(itertools.islice(frames, size)))
            if rate:
                due += size / rate
                time.sleep(max(0.0, due - time.monotonic()))
        while True:
            # Until it hangs up: what waits in its buffers is still being read.
            client.next_message()


def serve(messages: int, rate: int, start_ms: int = START_MS, channels: int = len(CHANNELS)) -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        print(door.getsockname()[1], flush=True)
        while True:
            sock, _ = door.accept()
            threading.Thread(target=talk, args=(sock, messages, rate, start_ms, channels), daemon=True).start()


if __name__ == "__main__":
    serve(*map(int, sys.argv[1:]))
