"""One simulated session on disk: the venue's books and ours begin, go on and are put away together.

A session that was cut short goes on where it stopped. One that reached its end, or that belongs to another recording,
is moved to `archive/` whole before a new one begins: a trader's records are never deleted.
"""

import json
import os
from pathlib import Path
from typing import Any, Final

import attrs

from genesis.edge.user_dir import FILE_MODE, UserDir

FILES: Final = ("sim.sqlite*", "sim-venue.json*", "sim-session.json", "logs/config_audit-sim.log*")


@attrs.frozen
class SimSession:
    """The files of the session in `user_dir`. `resumed` says that the one found there goes on."""

    user_dir: UserDir
    resumed: bool

    @classmethod
    def prepare(cls, user_dir: UserDir, recording: str, *, fresh: bool, stamp: str) -> "SimSession":
        """Find the session of `recording` or begin one; `stamp` names the folder that an old one is moved to."""
        found = _read(user_dir.root / "sim-session.json")
        goes_on = not fresh and found is not None and found.get("recording") == recording and not found.get("ended")
        if not goes_on:
            _archive(user_dir, stamp)
        session = cls(user_dir, goes_on)
        session._write(recording, ended=False)
        return session

    @property
    def venue_state(self) -> Path:
        return self.user_dir.root / "sim-venue.json"

    def finished(self, recording: str) -> None:
        """The recording was told to its end: the next start begins anew."""
        self._write(recording, ended=True)

    def _write(self, recording: str, *, ended: bool) -> None:
        path = self.user_dir.root / "sim-session.json"
        draft = path.with_name(path.name + ".new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE), "w") as file:
            json.dump({"recording": recording, "ended": ended}, file)
        os.replace(draft, path)


def _read(path: Path) -> dict[str, Any] | None:
    """None for a file that is missing or makes no sense: its session is then put away, not guessed at."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _archive(user_dir: UserDir, stamp: str) -> None:
    old = sorted(path for pattern in FILES for path in user_dir.root.glob(pattern))
    if not old:
        return
    folder = user_dir.root / "archive" / f"sim-{stamp}"
    number = 1
    while folder.exists():
        number += 1
        folder = user_dir.root / "archive" / f"sim-{stamp}-{number}"
    folder.mkdir(parents=True, mode=0o700)
    for path in old:
        path.rename(folder / path.name)
