"""The fault desk: everything that happened to traders at the real venue, on demand and from a seed.

A rule names what goes wrong, where, and how often. Faults of frames are decided frame by frame as they are said, faults
of requests as they arrive. Chance comes from the exchange's own generator, so that equal seeds give equal trouble.
"""

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import msgspec
import trio

from genesis.simulator.link import HttpRequest, HttpResponse
from genesis.simulator.session import Session
from protocols.bitfinex.errors import ERR_AUTH_NONCE, ERR_RATE_LIMIT
from protocols.bitfinex.events import (
    INFO_MAINTENANCE_END,
    INFO_MAINTENANCE_START,
    INFO_STOPPING,
    notice_event,
)
from protocols.bitfinex.numbers import write_json

if TYPE_CHECKING:
    from genesis.simulator.exchange import Exchange

CLOSE_AFTER_STOP_S: Final = 0.5
BAD_GATEWAY: Final = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
UNAVAILABLE: Final = b"<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>"


class FaultKind(StrEnum):
    """What can go wrong, and what `value` means for it."""

    LOSE = "lose"
    """A frame is never sent. Its sequence number is used up, so a client that counts will see a gap."""
    DUPLICATE = "duplicate"
    """A frame is sent twice."""
    REORDER = "reorder"
    """A frame changes places with the one after it."""
    DELAY = "delay"
    """A frame and all behind it on its socket come `value` seconds late."""
    STALL = "stall"
    """From this frame on the socket says nothing more, and stays open."""
    BAD_CHECKSUM = "bad checksum"
    """A checksum frame says another number."""
    TEAR = "tear"
    """The connection is cut after half of this frame."""
    LOST_ACK = "lost ack"
    """A notification of a request is never sent; the request stands."""
    GHOST = "ghost"
    """A new order is carried out `value` seconds late, and nobody says so before."""
    NONCE = "nonce"
    """A signed request, or an authentication, is answered with nonce: small."""
    RATE_LIMIT = "rate limit"
    """A request is answered with 429."""
    SERVER_ERROR = "server error"
    """A request is answered with HTTP `value` (503 if not given) and HTML."""
    LOST_ANSWER = "lost answer"
    """A request is carried out, and its answer is HTTP 502 and HTML of a gateway; with a `value` the connection ends
    without one."""
    HANDSHAKE = "handshake"
    """A WebSocket handshake is answered with HTTP `value` (429 if not given)."""


FRAME_FAULTS: Final = frozenset(
    {
        FaultKind.LOSE,
        FaultKind.DUPLICATE,
        FaultKind.REORDER,
        FaultKind.DELAY,
        FaultKind.STALL,
        FaultKind.BAD_CHECKSUM,
        FaultKind.TEAR,
        FaultKind.LOST_ACK,
    }
)


class FaultRule(msgspec.Struct, kw_only=True):
    """One kind of trouble. `probability` for each frame or request it fits, at most `times` (None: without end).

    `where` is `public`, `private` or `all` sockets; `contains` is text that a frame or a path must hold.
    """

    kind: FaultKind
    probability: float = 1.0
    times: int | None = 1
    where: str = "all"
    contains: str = ""
    value: float = 0.0
    happened: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.probability <= 1:
            raise ValueError(f"probability must be in (0, 1], was {self.probability}")
        if self.where not in ("all", "public", "private"):
            raise ValueError(f"where must be all, public or private, was {self.where!r}")
        if self.times is not None and self.times < 1:
            raise ValueError(f"times must be above zero, was {self.times}")
        if not 0 <= self.value <= 86_400:
            raise ValueError(f"value must be in [0, 86400], was {self.value}")


class FaultDesk:
    """The rules in force, and the switches that need no rule: stop, maintenance, drop."""

    def __init__(self, exchange: "Exchange") -> None:
        self.exchange = exchange
        self.rules: list[FaultRule] = []
        self.nursery: trio.Nursery | None = None
        """For what happens later; set while the exchange serves."""
        self._held: dict[Session, bytes] = {}
        self._queues: dict[Session, trio.MemorySendChannel[tuple[float, bytes]]] = {}
        self._silent: set[Session] = set()
        self._waiting: Counter[Session] = Counter()
        """Frames that are said late, and are not said yet."""

    # --- rules ----------------------------------------------------------------------------------------------------

    def add(self, rule: FaultRule) -> None:
        self.rules.append(rule)
        self._arm()

    def remove(self, rule: FaultRule) -> None:
        """This very rule no more; safe to say twice."""
        self.rules = [other for other in self.rules if other is not rule]
        self._arm()

    def clear(self) -> None:
        """No more trouble; stalled sockets stay silent, as dead lines do."""
        self.rules.clear()
        self._arm()

    def _arm(self) -> None:
        framed = any(rule.kind in FRAME_FAULTS for rule in self.rules)
        for session in self.exchange.sessions.values():
            # Sockets keep the hook while frames of theirs are held back or delayed.
            session.on_frame = self.on_frame if framed or self._busy(session) else None
        self.exchange.rest.before = self.on_request if self.rules else None
        self.exchange.rest.behind = self.on_answer if self.rules else None

    def _busy(self, session: Session) -> bool:
        return session in self._held or session in self._queues or session in self._silent

    def is_silent(self, session: Session) -> bool:
        """True of a socket that is open and says nothing: it was stalled, or its words wait for their time."""
        return session in self._silent or self._waiting[session] > 0

    def opened(self, session: Session) -> None:
        """A new socket is under the same rules."""
        if any(rule.kind in FRAME_FAULTS for rule in self.rules):
            session.on_frame = self.on_frame

    def closed(self, session: Session) -> None:
        self._held.pop(session, None)
        self._silent.discard(session)
        self._waiting.pop(session, None)
        queue = self._queues.pop(session, None)
        if queue is not None:
            queue.close()

    def _happens(self, kind: FaultKind, text: str = "", session: Session | None = None) -> FaultRule | None:
        for rule in self.rules:
            if rule.kind is not kind or (rule.times is not None and rule.happened >= rule.times):
                continue
            if rule.contains and rule.contains not in text:
                continue
            if session is not None and rule.where != "all" and (rule.where == "private") != (session.key is not None):
                continue
            if rule.probability < 1 and self.exchange.chance.random() >= rule.probability:
                continue
            rule.happened += 1
            return rule
        return None

    # --- frames ---------------------------------------------------------------------------------------------------

    def on_frame(self, session: Session, frame: bytes) -> list[bytes]:
        """What goes onto the wire instead of this frame, now."""
        if session in self._silent:
            return []
        text = frame.decode()
        if self._happens(FaultKind.STALL, text, session):
            self._silent.add(session)
            return []
        if self._happens(FaultKind.LOSE, text, session):
            return []
        if text.startswith('[0,"n"') and self._happens(FaultKind.LOST_ACK, text, session):
            return []
        if self._happens(FaultKind.TEAR, text, session):
            session.tear(frame)
            return []
        if ',"cs",' in text and self._happens(FaultKind.BAD_CHECKSUM, text, session):
            head, _, tail = text.partition(',"cs",')
            value, mark, rest = tail.partition("," if "," in tail else "]")
            frame = f'{head},"cs",{int(value) ^ 1}{mark}{rest}'.encode()
        frames = [frame, frame] if self._happens(FaultKind.DUPLICATE, text, session) else [frame]
        held = self._held.pop(session, None)
        if held is not None:
            frames.append(held)
        elif self._happens(FaultKind.REORDER, text, session):
            self._held[session] = frames.pop()
        delay = self._happens(FaultKind.DELAY, text, session)
        if delay is not None or session in self._queues:
            for each in frames:
                self._later(session, 0.0 if delay is None else delay.value, each)
            return []
        return frames

    def _later(self, session: Session, seconds: float, frame: bytes) -> None:
        assert self.nursery is not None
        queue = self._queues.get(session)
        if queue is None:
            queue, waiting = trio.open_memory_channel[tuple[float, bytes]](2**62)
            self._queues[session] = queue
            self.nursery.start_soon(self._deliver, session, waiting)
        self._waiting[session] += 1
        queue.send_nowait((trio.current_time() + seconds, frame))

    async def _deliver(self, session: Session, waiting: "trio.MemoryReceiveChannel[tuple[float, bytes]]") -> None:
        # In order: what waits behind a late frame is late too, as on a slow line.
        async with waiting:
            async for due, frame in waiting:
                await trio.sleep_until(due)
                if session in self._waiting:
                    self._waiting[session] -= 1
                session.put([frame])

    # --- requests -------------------------------------------------------------------------------------------------

    def on_request(self, request: HttpRequest) -> HttpResponse | None:
        """The answer that a fault gives instead of the endpoint; None for none."""
        if self._happens(FaultKind.RATE_LIMIT, request.target):
            return HttpResponse(status=429, body=write_json(["error", ERR_RATE_LIMIT, "ratelimit: error"]))
        broken = self._happens(FaultKind.SERVER_ERROR, request.target)
        if broken is not None:
            status = int(broken.value) or 503
            return HttpResponse(status=status, body=UNAVAILABLE, content_type="text/html; charset=utf-8")
        if "/auth/" in request.target and self._happens(FaultKind.NONCE, request.target):
            return HttpResponse(status=500, body=write_json(["error", ERR_AUTH_NONCE, "nonce: small"]))
        return None

    def on_answer(self, request: HttpRequest) -> HttpResponse | None:
        """What is said instead of the answer to a request that was carried out; None for none."""
        lost = self._happens(FaultKind.LOST_ANSWER, request.target)
        if lost is None:
            return None
        if lost.value:
            return HttpResponse(status=0, body=b"")
        return HttpResponse(status=502, body=BAD_GATEWAY, content_type="text/html; charset=utf-8")

    def on_handshake(self, request: HttpRequest) -> HttpResponse | None:
        refused = self._happens(FaultKind.HANDSHAKE, request.target)
        if refused is None:
            return None
        return HttpResponse(status=int(refused.value) or 429, body=UNAVAILABLE, content_type="text/html")

    def on_authentication(self) -> tuple[int, str] | None:
        return (ERR_AUTH_NONCE, "nonce: small") if self._happens(FaultKind.NONCE, "auth") else None

    def ghost_s(self, text: str) -> float | None:
        """How late a new order is carried out, if a rule says so."""
        rule = self._happens(FaultKind.GHOST, text)
        return None if rule is None else rule.value

    # --- switches -------------------------------------------------------------------------------------------------

    def drop(self, *, private: bool | None = None) -> int:
        """Cut connections without a goodbye: all, private or public ones. Returns how many."""
        chosen = [
            session
            for session in self.exchange.sessions.values()
            if private is None or private == (session.key is not None)
        ]
        for session in chosen:
            session.abort()
        return len(chosen)

    def stop(self) -> None:
        """20051, and soon after it the server closes every socket."""
        for session in list(self.exchange.sessions.values()):
            session.send(notice_event(INFO_STOPPING, "Stopping. Please try to reconnect"))
            if self.nursery is not None:
                self.nursery.start_soon(self._close_later, session)

    async def _close_later(self, session: Session) -> None:
        await trio.sleep(CLOSE_AFTER_STOP_S)
        session.close(1012, "restart")

    def maintenance(self, on: bool) -> None:
        """20060 when it begins, 20061 when it ends; between them signed requests are refused."""
        self.exchange.operative = not on
        code, text = (INFO_MAINTENANCE_START, "Maintenance start") if on else (INFO_MAINTENANCE_END, "Maintenance end")
        for session in list(self.exchange.sessions.values()):
            session.send(notice_event(code, text))

    def as_json(self) -> dict[str, Any]:
        return {"rules": [msgspec.to_builtins(rule) for rule in self.rules], "operative": self.exchange.operative}
