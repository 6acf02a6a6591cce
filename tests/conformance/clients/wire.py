"""Speaking as a client that could not be built here: its frames as its source writes them, its parser's demands."""

import hashlib
import hmac
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from report import expect
from websockets.sync.client import connect

NUMBER, TEXT, FLAG, NUMBER_OR_NULL, TEXT_OR_NULL, LIST = (
    "number",
    "text",
    "flag",
    "number or null",
    "text or null",
    "list",
)
Shape = Mapping[int, str]


def is_kind(value: Any, kind: str) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match kind:
        case "number":
            return number
        case "text":
            return isinstance(value, str)
        case "flag":
            return isinstance(value, bool) or (number and value in (0, 1))
        case "list":
            return isinstance(value, list)
        case "number or null":
            return number or value is None
        case _:
            return isinstance(value, str) or value is None


def fits(row: Any, shape: Shape, what: str, *, lengths: tuple[int, ...] = (), least: int = 0) -> None:
    """Raises AssertionError at the first element that the client's parser would stumble over."""
    expect(isinstance(row, list), f"{what} is a list, was {row!r}"[:200])
    expect(not lengths or len(row) in lengths, f"{what} has {lengths} elements, had {len(row)}")
    expect(len(row) >= max(least, max(shape, default=-1) + 1), f"{what} is long enough, had {len(row)}: {row}"[:250])
    for at, kind in shape.items():
        expect(is_kind(row[at], kind), f"{what}[{at}] is a {kind}, was {row[at]!r}")


def signed(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha384).hexdigest()


class Line:
    """One WebSocket. `heard` keeps every frame in order; `watch` sees each as it comes."""

    def __init__(self, url: str, watch: Callable[[Any], None] = lambda frame: None) -> None:
        self.socket = connect(url, max_size=2**24, max_queue=None, ping_interval=None)
        self.watch = watch
        self.heard: list[Any] = []

    def say(self, message: Any) -> None:
        self.socket.send(json.dumps(message, separators=(",", ":")))

    def hear(self, wanted: Callable[[Any], Any], within_s: float = 10.0) -> Any:
        """The next frame of which this is true; TimeoutError when none comes in time between two frames."""
        while True:
            frame = json.loads(self.socket.recv(timeout=within_s))
            self.heard.append(frame)
            self.watch(frame)
            if wanted(frame):
                return frame

    def event(self, name: str, **fields: Any) -> Any:
        """The next object of this event that says all of these."""
        return self.hear(
            lambda frame: (
                isinstance(frame, dict)
                and frame.get("event") == name
                and all(frame.get(key) == value for key, value in fields.items())
            )
        )

    def account(self, kind: str, wanted: Callable[[Any], Any] = lambda row: True) -> Any:
        """The payload of the next frame of channel 0 of this kind."""
        return self.hear(lambda frame: isinstance(frame, list) and frame[:2] == [0, kind] and wanted(frame[2]))[2]

    def close(self) -> None:
        self.socket.close()


class Rest:
    """Requests with exactly the headers and body of the client."""

    def __init__(self, base: str) -> None:
        self.base = base

    def ask(
        self, method: str, path: str, body: str | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        data = None if body is None else body.encode()
        request = urllib.request.Request(self.base + path, data=data, method=method)  # noqa: S310 - our own loopback
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.load(refusal)

    def get(self, path: str) -> Any:
        status, answer = self.ask("GET", path)
        expect(status == 200, f"{path} is answered with 200, was {status} {answer}")
        return answer
