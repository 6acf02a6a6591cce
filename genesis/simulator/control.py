"""A small HTTP port of the exchange's own, for people and tests that make trouble: faults, replay, a look behind.

GET /faults, POST /faults (a rule), DELETE /faults; POST /drop, /stop, /maintenance; GET /replay, POST /replay; GET
/sockets, GET /accounts/NAME. It listens on loopback and is no part of what a client of the exchange sees.
"""

from typing import TYPE_CHECKING, Any, Final

import msgspec
import trio

from genesis.simulator.faults import FaultRule
from genesis.simulator.link import HttpRequest, HttpResponse, serve_http_only
from genesis.simulator.replay_driver import MAX_SPEED
from protocols.bitfinex.errors import MalformedFrame
from protocols.bitfinex.numbers import read_json_floats

if TYPE_CHECKING:
    from genesis.simulator.exchange import Exchange

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})


class ControlRefused(Exception):
    """A request that makes no sense; the text is the answer."""


class ControlPort:
    """Routes of the control port."""

    def __init__(self, exchange: "Exchange") -> None:
        self.exchange = exchange

    async def serve(
        self, host: str = "127.0.0.1", port: int = 0, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Listen until cancelled; says its port. Raises OSError when the port is taken."""
        listeners = await trio.open_tcp_listeners(port, host=host)
        task_status.started(listeners[0].socket.getsockname()[1])
        await trio.serve_listeners(self._serve_client, listeners)

    async def _serve_client(self, stream: trio.SocketStream) -> None:
        await serve_http_only(stream, handler=self.handle)

    async def handle(self, request: HttpRequest) -> HttpResponse:
        # A page in somebody's browser must not make trouble here, whatever name it found for this address.
        host = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
        if host not in LOOPBACK or "origin" in request.headers:
            return _answer(403, {"error": "must be asked directly, on loopback"})
        try:
            return _answer(200, self._do(request))
        except ControlRefused as refusal:
            return _answer(400, {"error": str(refusal)})
        except KeyError:
            return _answer(404, {"error": f"must be a known path, was {request.method} {request.target[:80]}"})

    def _do(self, request: HttpRequest) -> Any:
        exchange, desk = self.exchange, self.exchange.faults
        match (request.method, request.target.partition("?")[0]):
            case ("GET", "/faults"):
                return desk.as_json()
            case ("POST", "/faults"):
                try:
                    desk.add(msgspec.json.decode(request.body, type=FaultRule))
                except (msgspec.MsgspecError, ValueError) as error:
                    raise ControlRefused(f"body must be a fault rule, was not: {error}") from None
                return desk.as_json()
            case ("DELETE", "/faults"):
                desk.clear()
                return desk.as_json()
            case ("POST", "/drop"):
                private = _body(request).get("private")
                return {"dropped": desk.drop(private=private if isinstance(private, bool) else None)}
            case ("POST", "/stop"):
                desk.stop()
                return desk.as_json()
            case ("POST", "/maintenance"):
                desk.maintenance(_body(request).get("on") is True)
                return desk.as_json()
            case ("GET", "/replay"):
                return self._replay()
            case ("POST", "/replay"):
                self._steer(_body(request))
                return self._replay()
            case ("GET", "/sockets"):
                return [
                    {"number": one.number, "peer": one.peer, "account": one.account, "channels": one.channels}
                    | {"queued": one.queued, "sent": one.sent, "received": one.received}
                    for one in exchange.sockets()
                ]
            case ("GET", path) if path.startswith("/accounts/"):
                found = exchange.snapshot(path.removeprefix("/accounts/"))
                return {
                    "wallets": found.wallets,
                    "open_orders": [msgspec.to_builtins(order) for order in found.open_orders.values()],
                    "closed_orders": [msgspec.to_builtins(order) for order in found.closed_orders],
                    "trades": [msgspec.to_builtins(trade) for trade in found.trades],
                }
            case _:
                raise KeyError

    def _replay(self) -> dict[str, Any]:
        replayer = self.exchange.replayer
        speed = None if replayer is None else replayer.speed
        return {
            "venue_ms": self.exchange.venue_ms(),
            "step": self.exchange.step,
            "ended": self.exchange.ended.is_set(),
            "speed": "max" if speed == MAX_SPEED else speed,
            "paused": replayer is not None and replayer.paused,
        }

    def _steer(self, body: dict[str, Any]) -> None:
        replayer = self.exchange.replayer
        if replayer is None:
            raise ControlRefused("a replay must run, none does")
        speed, seek_ms, paused = body.get("speed"), body.get("seek_ms"), body.get("paused")
        if speed is not None:
            number = MAX_SPEED if speed == "max" else speed
            if not isinstance(number, int | float) or isinstance(number, bool) or not number > 0:
                raise ControlRefused(f"speed must be above zero or 'max', was {speed!r}")
            replayer.set_speed(number)
        if seek_ms is not None:
            if not isinstance(seek_ms, int) or seek_ms < self.exchange.venue_ms():
                raise ControlRefused(f"seek_ms must not be before {self.exchange.venue_ms()}, was {seek_ms!r}")
            replayer.seek(seek_ms)
        if paused is not None:
            (replayer.pause if paused else replayer.resume)()


def _body(request: HttpRequest) -> dict[str, Any]:
    if not request.body.strip():
        return {}
    try:
        body = read_json_floats(request.body)
    except MalformedFrame:
        raise ControlRefused("body must be JSON, was not") from None
    if not isinstance(body, dict):
        raise ControlRefused("body must be a JSON object, was not")
    return body


def _answer(status: int, value: Any) -> HttpResponse:
    return HttpResponse(status=status, body=msgspec.json.encode(value))
