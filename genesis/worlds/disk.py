"""A simulated disk: a real folder in memory, and what a process finds of it that starts after another was killed."""

import contextlib
import errno
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import attrs

IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a private folder is made below it


def scratch_folder() -> Path:
    """A new folder, in memory where the machine has that: worlds sync often, and nobody keeps their files."""
    return Path(tempfile.mkdtemp(prefix="genesis-world-", dir=IN_MEMORY if IN_MEMORY.is_dir() else None))


def _content(handle: int, path: str) -> bytes | None:
    """What is in the file now, None when that cannot be read. Most writers may read it, too: that spares opening it."""
    try:
        return os.pread(handle, os.fstat(handle).st_size, 0)
    except OSError:
        with contextlib.suppress(OSError), open(path, "rb") as file:
            return file.read()
        return None


@attrs.define(eq=False)
class Disk:
    """`folder` is what the living process sees. The files of a killed one are frozen as they were in that moment: its
    clean-up code, which a real kill would not have run, writes into a folder that nobody opens again."""

    root: Path
    number: int = 0
    syncs_fail: bool = False
    """As long as it is set, no sync of a file that Python writes succeeds."""
    failed_syncs: int = 0
    synced: dict[str, bytes] = attrs.field(factory=dict)
    """What of each file by its name is surely on the plate, for those that Python writes. SQLite syncs its own in every
    commit before it answers, and no power fails within a step."""

    def __attrs_post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def folder(self) -> Path:
        return self.root / f"life-{self.number}"

    def freeze(self) -> None:
        """The process that writes here was killed, now.

        Its write-ahead log is moved, not copied: it may be larger than all the rest, and the dead only read from it.
        """
        before = self.folder
        self.number += 1
        self.folder.mkdir()
        for file in os.scandir(before):
            target = self.folder / file.name
            if file.name.endswith("-wal"):
                os.rename(file.path, target)
            elif file.is_file():
                shutil.copy(file.path, target)
            else:
                shutil.copytree(file.path, target)

    def power_cut(self, chance: random.Random) -> list[str]:
        """Kill, and lose what was not synced: of each such file the old content, the new one, or a mixture stays.

        Gives the names of the files that lost something.
        """
        self.freeze()
        lost = []
        for file in sorted(self.folder.iterdir()):
            if file.name.partition("-")[0].endswith(".sqlite") or not file.is_file():
                continue
            now, safe = file.read_bytes(), self.synced.get(file.name)
            if safe == now:
                continue
            lost.append(file.name)
            if safe is None:
                # A name that no sync has reached may be gone, or be there without its content.
                if chance.random() < 0.5:
                    file.unlink()
                else:
                    file.write_bytes(now[: chance.randrange(len(now) + 1)])
            elif len(safe) == len(now):
                cut = chance.randrange(len(now) + 1)
                file.write_bytes(now[:cut] + safe[cut:] if chance.random() < 0.5 else safe)
            else:
                file.write_bytes(safe)
        return lost

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Hear of every sync, for the time of a run."""
        fsync, fdatasync, replace = os.fsync, os.fdatasync, os.replace

        def heard(sync: Callable[[int], None]) -> Callable[[int], None]:
            def call(handle: int) -> None:
                # Said in every commit, so without the comfort of Path.
                path = os.readlink(f"/proc/self/fd/{handle}")
                folder, _, name = path.rpartition("/")
                ours = folder == f"{self.root}/life-{self.number}"
                if self.syncs_fail and ours:
                    self.failed_syncs += 1
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                sync(handle)
                content = _content(handle, path) if ours else None
                if content is not None:
                    self.synced[name] = content

            return call

        def renamed(source: Any, target: Any, **terms: Any) -> None:
            replace(source, target, **terms)
            old, new = Path(os.fsdecode(source)).name, Path(os.fsdecode(target)).name
            if old in self.synced:
                self.synced[new] = self.synced.pop(old)

        with contextlib.ExitStack() as stack:
            for name, call in (("fsync", heard(fsync)), ("fdatasync", heard(fdatasync)), ("replace", renamed)):
                stack.enter_context(patch.object(os, name, call))
            yield

    def clear(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
