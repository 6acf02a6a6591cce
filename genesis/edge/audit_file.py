"""A file that is only ever appended to: one line for each entry, with the chain's head anchored in a second file.

The lines' owner keeps them elsewhere, too, and gives all of them at the start: a line that a crash tore or a full disk
refused is written again then, and a file that is not the beginning of what its owner has is put aside, never mended.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import attrs
import trio

from genesis.edge.anchor import Anchor, Head, read_anchor, sync_directory
from genesis.edge.store_errors import StoreCorrupt

T = TypeVar("T")


def anchor_path(path: Path) -> Path:
    """Where the anchor of the file at `path` lies."""
    return path.with_name(path.name + ".anchor")


def read_lines(path: Path) -> list[bytes]:
    """Every whole line; none without a file. What follows the last line end was torn by a crash. Raises OSError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    return data[: data.rfind(b"\n") + 1].splitlines()


def anchored(path: Path) -> Head | None:
    """The newest head that the anchor names; None without an anchor. Raises StoreCorrupt when it is unreadable."""
    return read_anchor(anchor_path(path))


@attrs.define(eq=False)
class AuditFile:
    """The one writer of an append-only file. `inline` runs its calls on the loop, for simulated worlds."""

    path: Path
    inline: bool = False
    _anchor: Anchor | None = attrs.field(default=None, init=False)

    async def begin(self, lines: Sequence[bytes], head: Head) -> str | None:
        """Make the file have exactly these lines. Tells what was wrong with it, if anything. Raises OSError."""
        return await self._call(lambda: self._begin(lines, head))

    async def append(self, lines: Sequence[bytes], head: Head) -> None:
        """Add lines and move the anchor to `head`, both synced. Raises OSError; the owner then begins again."""
        await self._call(lambda: self._append(lines, head))

    async def _call(self, call: Callable[[], T]) -> T:
        if self.inline:
            await trio.lowlevel.checkpoint()
            return call()
        return await trio.to_thread.run_sync(call)

    def _begin(self, lines: Sequence[bytes], head: Head) -> str | None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        trouble = self._trouble(lines)
        if trouble is not None:
            trouble += f"; kept as {self._set_aside().name}"
        whole = len(read_lines(self.path))
        if self.path.exists():
            # Half a line is nobody's: the whole one is among those that are missing.
            size = sum(len(line) + 1 for line in lines[:whole])
            os.truncate(self.path, size)
        self.close()
        self._append(lines[whole:], head)
        return trouble

    def _trouble(self, lines: Sequence[bytes]) -> str | None:
        written = read_lines(self.path)
        if len(written) > len(lines) or written != list(lines[: len(written)]):
            return f"{self.path.name} was not what the journal has"
        try:
            known = anchored(self.path)
        except StoreCorrupt:
            return f"{self.path.name} had an unreadable anchor"
        if known is not None and known.seq > len(written):
            return f"{self.path.name} had {len(written)} lines, {known.seq} were written: its end was cut off"
        return None

    def _set_aside(self) -> Path:
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.damaged-{number}")).exists():
            number += 1
        if self.path.exists():
            os.replace(self.path, aside)
        else:
            aside.touch(mode=0o600)
        return aside

    def _append(self, lines: Sequence[bytes], head: Head) -> None:
        fresh = not self.path.exists()
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            data = b"".join(line + b"\n" for line in lines)
            if data and os.write(handle, data) != len(data):
                raise OSError(f"{self.path} must take {len(data)} bytes, took fewer")
            os.fsync(handle)
        finally:
            os.close(handle)
        if fresh:
            sync_directory(self.path.parent)
        if self._anchor is None:
            self._anchor = Anchor(anchor_path(self.path), head)
        else:
            self._anchor.write(head)

    def close(self) -> None:
        """Safe to say twice."""
        if self._anchor is not None:
            self._anchor.close()
            self._anchor = None
