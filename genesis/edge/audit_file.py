"""A file that is only ever appended to: one line for each entry, with the chain's head anchored in a second file.

The lines' owner keeps them elsewhere, too, and gives all of them, page by page, at the start: a line that a crash tore
or a full disk refused is written again then, and a file that is not the beginning of what its owner has is put aside,
never mended.
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import attrs
import trio

from genesis.edge.anchor import Anchor, Head, read_anchor, sync_directory
from genesis.edge.store_errors import StoreCorrupt

T = TypeVar("T")
Pages = Callable[[int], Awaitable[tuple[Sequence[bytes], int | None]]]
"""Gives a page of lines and where the next one begins, None after the last. The first page begins at 0."""
CHUNK: Final = 65_536


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

    async def begin(self, pages: Pages, head: Head) -> str | None:
        """Make the file have exactly these lines. Tells what was wrong with it, if anything. Raises OSError.

        No more than a page is in memory at once.
        """
        self.close()
        size = await self._call(self._whole_size)
        trouble = await self._follow(pages, size)
        if trouble is not None:
            aside = await self._call(self._set_aside)
            trouble += f"; kept as {aside.name}"
            await self._follow(pages, 0, guarded=False)
        await self._call(lambda: self._append((), head))
        return trouble

    async def _follow(self, pages: Pages, size: int, *, guarded: bool = True) -> str | None:
        """Hold the first `size` bytes of the file against the pages and write what it lacks; or tell why not."""
        at: int | None = 0
        checked = count = 0
        settled = False
        while at is not None:
            lines, at = await pages(at)
            data = b"".join(line + b"\n" for line in lines)
            here = data[: size - checked]
            if not await self._call(partial(self._has, here, checked)):
                return f"{self.path.name} was not what the journal has"
            checked += len(here)
            count += here.count(b"\n")
            if checked == size and not settled and (at is None or len(here) < len(data)):
                trouble = await self._call(partial(self._settle, size, count if guarded else None))
                if trouble is not None:
                    return trouble
                settled = True
            if len(here) < len(data):
                await self._call(partial(self._write, data[len(here) :]))
        return None if settled else f"{self.path.name} was not what the journal has"

    async def append(self, lines: Sequence[bytes], head: Head) -> None:
        """Add lines and move the anchor to `head`, both synced. Raises OSError; the owner then begins again."""
        await self._call(lambda: self._append(lines, head))

    async def _call(self, call: Callable[[], T]) -> T:
        if self.inline:
            await trio.lowlevel.checkpoint()
            return call()
        return await trio.to_thread.run_sync(call)

    def _whole_size(self) -> int:
        """How many bytes of the file are whole lines."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists():
            return 0
        with self.path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            while end > 0:
                start = max(0, end - CHUNK)
                file.seek(start)
                found = file.read(end - start).rfind(b"\n")
                if found >= 0:
                    return start + found + 1
                end = start
        return 0

    def _has(self, part: bytes, at: int) -> bool:
        if not part:
            return True
        with self.path.open("rb") as file:
            file.seek(at)
            return file.read(len(part)) == part

    def _settle(self, size: int, count: int | None) -> str | None:
        """Cut off what follows `size`, unless the anchor knows of more than these `count` lines: then tell so."""
        if count is not None:
            try:
                known = anchored(self.path)
            except StoreCorrupt:
                return f"{self.path.name} had an unreadable anchor"
            if known is not None and known.seq > count:
                return f"{self.path.name} had {count} lines, {known.seq} were written: its end was cut off"
        if self.path.exists():
            # Half a line is nobody's: the whole one is among those that are missing.
            os.truncate(self.path, size)
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
        self._write(b"".join(line + b"\n" for line in lines))
        if self._anchor is None:
            self._anchor = Anchor(anchor_path(self.path), head)
        else:
            self._anchor.write(head)

    def _write(self, data: bytes) -> None:
        fresh = not self.path.exists()
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            if data and os.write(handle, data) != len(data):
                raise OSError(f"{self.path} must take {len(data)} bytes, took fewer")
            os.fsync(handle)
        finally:
            os.close(handle)
        if fresh:
            sync_directory(self.path.parent)

    def close(self) -> None:
        """Safe to say twice."""
        if self._anchor is not None:
            self._anchor.close()
            self._anchor = None
