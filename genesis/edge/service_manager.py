"""What the service manager wants to hear: that we are ready, that we live, that we stop (systemd's sd_notify)."""

import os
import socket
from collections.abc import Mapping
from typing import Final

import attrs

LONGEST_STATUS: Final = 500


@attrs.frozen(kw_only=True)
class ServiceManager:
    """`address` is its socket, None where nobody listens. After `watchdog_s` of silence it ends us, where given."""

    address: str | None = None
    watchdog_s: float | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str], pid: int) -> "ServiceManager":
        """From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, as sd_notify(3) and sd_watchdog_enabled(3) have them."""
        address = environment.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")):
            return cls()
        limit = environment.get("WATCHDOG_USEC", "")
        for_us = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
        watched = for_us and limit.isascii() and limit.isdecimal() and int(limit) > 0
        return cls(address=address, watchdog_s=int(limit) / 1e6 if watched else None)

    @property
    def listens(self) -> bool:
        return self.address is not None

    def ready(self, status: str) -> bool:
        return self._tell("READY=1", f"STATUS={status}", f"MAINPID={os.getpid()}")

    def starting(self, patience_s: float, status: str) -> bool:
        """Ask for so much more time before READY; to be said again before it is over."""
        return self._tell(f"EXTEND_TIMEOUT_USEC={int(patience_s * 1e6)}", f"STATUS={status}")

    def alive(self, status: str) -> bool:
        """Say it at least twice in `watchdog_s`."""
        return self._tell("WATCHDOG=1", f"STATUS={status}")

    def stopping(self, status: str) -> bool:
        return self._tell("STOPPING=1", f"STATUS={status}")

    def _tell(self, *lines: str) -> bool:
        """One datagram; False when nobody took it. Never waits, never raises: a deaf manager must not stop trading."""
        if self.address is None:
            return False
        text = "\n".join(line.replace("\n", " ")[:LONGEST_STATUS] for line in lines)
        name = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                out.setblocking(False)
                out.sendto(text.encode(), name)
        except OSError:
            return False
        return True
