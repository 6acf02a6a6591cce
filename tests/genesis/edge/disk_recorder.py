"""A recorder below SQLite and the anchor: every write and sync in order, so that the power can fail between any two.

SQLite's own file layer stays in use; a shim in front of three of its functions (write, truncate, sync) notes what it is
asked. `power_cut` then makes the files that a disk may hold after a cut at some place of the record: all that was
synced, and of what was not, a random choice of sectors, some of them torn.
"""

import ctypes
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

SECTOR = 512
_VFS_SIZE, _NAME_AT, _OPEN_AT, _DELETE_AT = 168, 24, 40, 48
_METHODS_SIZE, _WRITE_AT, _TRUNCATE_AT, _SYNC_AT = 152, 24, 32, 40

_OPEN = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_int)
)
_DELETE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
_WRITE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64)
_TRUNCATE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int64)
_SYNC = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)


@attrs.frozen
class Written:
    name: str
    offset: int
    data: bytes


@attrs.frozen
class Truncated:
    name: str
    size: int


@attrs.frozen
class Synced:
    name: str


@attrs.frozen
class Removed:
    name: str


@attrs.frozen
class Renamed:
    source: str
    target: str


@attrs.frozen
class DirectorySynced:
    pass


@attrs.frozen
class Answered:
    """The store's caller was told that this key is durable."""

    key: str


Step = Written | Truncated | Synced | Removed | Renamed | DirectorySynced | Answered


def shared_sqlite() -> ctypes.CDLL | None:
    """The very library that Python's sqlite3 uses; None where it is built in and cannot be reached."""
    if sys.platform != "linux" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    with open("/proc/self/maps") as maps:
        loaded = sorted({line.split()[-1] for line in maps if "libsqlite3" in line})
    return ctypes.CDLL(loaded[0]) if loaded else None


class DiskRecorder:
    """Put in as SQLite's default file layer by `install`, until `remove`."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.steps: list[Step] = []
        self._library = library
        library.sqlite3_vfs_find.restype = ctypes.c_void_p
        library.sqlite3_vfs_find.argtypes = [ctypes.c_char_p]
        library.sqlite3_vfs_register.argtypes = [ctypes.c_void_p, ctypes.c_int]
        library.sqlite3_vfs_unregister.argtypes = [ctypes.c_void_p]
        self._real = library.sqlite3_vfs_find(None)
        assert self._real, "SQLite must have a default file layer"
        self._vfs = ctypes.create_string_buffer(ctypes.string_at(self._real, _VFS_SIZE), _VFS_SIZE)
        self._name = ctypes.create_string_buffer(b"recorder")
        self._files: dict[int, str] = {}
        self._methods: dict[int, Any] = {}
        self._real_open = _OPEN(_pointer(self._real, _OPEN_AT))
        self._real_delete = _DELETE(_pointer(self._real, _DELETE_AT))
        self._callbacks: list[Any] = [_OPEN(self._open), _DELETE(self._delete)]
        _put(self._vfs, _NAME_AT, ctypes.addressof(self._name))
        _put(self._vfs, _OPEN_AT, _address(self._callbacks[0]))
        _put(self._vfs, _DELETE_AT, _address(self._callbacks[1]))

    def install(self) -> None:
        assert self._library.sqlite3_vfs_register(ctypes.addressof(self._vfs), 1) == 0

    def remove(self) -> None:
        self._library.sqlite3_vfs_unregister(ctypes.addressof(self._vfs))
        self._library.sqlite3_vfs_register(self._real, 1)

    def _open(self, _: int, name: int | None, file: int, flags: int, out_flags: Any) -> int:
        # The name goes on as the pointer that came: SQLite keeps it, and a copy made here would be gone by then.
        result = self._real_open(self._real, name, file, flags, out_flags)
        if result == 0 and name is not None:
            self._files[file] = Path(os.fsdecode(ctypes.string_at(name))).name
            real = ctypes.c_void_p.from_address(file).value
            assert real is not None
            if real not in self._methods:
                self._methods[real] = self._shim(real)
            ctypes.c_void_p.from_address(file).value = ctypes.addressof(self._methods[real])
        return int(result)

    def _delete(self, _: int, name: bytes, sync: int) -> int:
        self.steps.append(Removed(Path(os.fsdecode(name)).name))
        return int(self._real_delete(self._real, name, sync))

    def _shim(self, real: int) -> Any:
        real_write = _WRITE(_pointer(real, _WRITE_AT))
        real_truncate = _TRUNCATE(_pointer(real, _TRUNCATE_AT))
        real_sync = _SYNC(_pointer(real, _SYNC_AT))

        def write(file: int, data: int, size: int, offset: int) -> int:
            self.steps.append(Written(self._files[file], offset, ctypes.string_at(data, size)))
            return int(real_write(file, data, size, offset))

        def truncate(file: int, size: int) -> int:
            self.steps.append(Truncated(self._files[file], size))
            return int(real_truncate(file, size))

        def sync(file: int, flags: int) -> int:
            self.steps.append(Synced(self._files[file]))
            return int(real_sync(file, flags))

        callbacks = [_WRITE(write), _TRUNCATE(truncate), _SYNC(sync)]
        self._callbacks += callbacks
        methods = ctypes.create_string_buffer(ctypes.string_at(real, _METHODS_SIZE), _METHODS_SIZE)
        for place, callback in zip((_WRITE_AT, _TRUNCATE_AT, _SYNC_AT), callbacks, strict=True):
            _put(methods, place, _address(callback))
        return methods


class RecordingOs:
    """`os` for the anchor's module: the real one, with its writes, syncs and renames noted."""

    def __init__(self, recorder: DiskRecorder) -> None:
        self._steps = recorder.steps
        self._names: dict[int, str | None] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        handle = os.open(path, flags, mode)
        self._names[handle] = None if flags & os.O_DIRECTORY else path.name
        if flags & os.O_TRUNC:
            self._steps.append(Truncated(path.name, 0))
        return handle

    def pwrite(self, handle: int, data: bytes, offset: int) -> int:
        name = self._names[handle]
        assert name is not None
        self._steps.append(Written(name, offset, data))
        return os.pwrite(handle, data, offset)

    def fsync(self, handle: int) -> None:
        name = self._names[handle]
        self._steps.append(DirectorySynced() if name is None else Synced(name))
        os.fsync(handle)

    def fdatasync(self, handle: int) -> None:
        name = self._names[handle]
        assert name is not None
        self._steps.append(Synced(name))
        os.fdatasync(handle)

    def replace(self, source: Path, target: Path) -> None:
        self._steps.append(Renamed(source.name, target.name))
        for handle, name in self._names.items():
            if name == source.name:
                self._names[handle] = target.name
        os.replace(source, target)


@attrs.define
class Disk:
    """What is on the disk for sure, and what is on its way there."""

    synced: dict[str, bytearray] = attrs.Factory(dict)
    pending: dict[str, list[Written | Truncated]] = attrs.Factory(dict)
    names: list[Renamed | Removed] = attrs.Factory(list)
    answered: list[str] = attrs.Factory(list)

    def take(self, step: Step) -> None:
        match step:
            case Written() | Truncated():
                self._settle_names(step.name)
                self.pending.setdefault(step.name, []).append(step)
            case Synced():
                self._settle_names(step.name)
                content = self.synced.setdefault(step.name, bytearray())
                for change in self.pending.pop(step.name, []):
                    _apply(content, change)
            case Renamed() | Removed():
                self.names.append(step)
            case DirectorySynced():
                for name_change in self.names:
                    _rename(self.synced, self.pending, name_change)
                self.names.clear()
            case Answered():
                self.answered.append(step.key)

    def _settle_names(self, name: str) -> None:
        # Writing on under a name means that the change of names before it is to be seen by whoever writes.
        for change in [change for change in self.names if name in attrs.astuple(change)]:
            _rename(self.synced, self.pending, change)
            self.names.remove(change)

    def after_power_cut(self, chance: random.Random) -> dict[str, bytes]:
        """The files that somebody finds who switches the machine on again."""
        files = {name: bytearray(content) for name, content in self.synced.items()}
        survival = chance.choice((0.0, 0.3, 0.7, 1.0))
        for name, changes in self.pending.items():
            content = files.setdefault(name, bytearray())
            for change in changes:
                for piece in _sectors(change, survival, chance):
                    _apply(content, piece)
        for renaming in self.names:
            if chance.random() < 0.5:
                _rename(files, {}, renaming)
        return {name: bytes(content) for name, content in files.items()}


def _sectors(change: Written | Truncated, survival: float, chance: random.Random) -> Iterator[Written | Truncated]:
    if isinstance(change, Truncated):
        if chance.random() < survival:
            yield change
        return
    place = 0
    while place < len(change.data):
        size = min(SECTOR - (change.offset + place) % SECTOR, len(change.data) - place)
        if chance.random() < survival:
            kept = chance.randrange(size) if chance.random() < 0.05 else size
            yield Written(change.name, change.offset + place, change.data[place : place + kept])
        place += size


def _apply(content: bytearray, change: Written | Truncated) -> None:
    if isinstance(change, Truncated):
        del content[change.size :]
        return
    end = change.offset + len(change.data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    content[change.offset : end] = change.data


def _rename(files: dict[str, bytearray], pending: dict[str, list[Any]], change: Renamed | Removed) -> None:
    if isinstance(change, Removed):
        files.pop(change.name, None)
        pending.pop(change.name, None)
        return
    if change.source in files:
        files[change.target] = files.pop(change.source)
    if change.source in pending:
        pending[change.target] = pending.pop(change.source)


def _pointer(base: int, offset: int) -> int:
    value = ctypes.c_void_p.from_address(base + offset).value
    assert value is not None
    return value


def _put(buffer: Any, offset: int, value: int) -> None:
    ctypes.c_void_p.from_address(ctypes.addressof(buffer) + offset).value = value


def _address(callback: Any) -> int:
    value = ctypes.cast(callback, ctypes.c_void_p).value
    assert value is not None
    return value
