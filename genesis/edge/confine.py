"""Takes rights away from the process that calls it, for good: files by Landlock, system calls by seccomp, limits.

Linux lets any process do that to itself without privileges. Where the kernel does not, it says so and goes on: the
caller decides what that means. Nothing here can be undone, and threads and children begun later inherit it.

Sources: `Documentation/userspace-api/landlock.rst` and `seccomp_filter.rst` of the Linux kernel; the numbers are those
of `include/uapi/linux/{landlock,seccomp,bpf_common,audit}.h` and of the two architectures' system call tables.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_ASKED: Final = 1
_PATH_BENEATH: Final = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_RIGHTS_OF: Final = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights over files a version of Landlock knows; later ones know as many as the fifth."""
_NET_FROM, _SCOPE_FROM = 4, 6
_TCP: Final = 0b11
_SIGNALS_AND_ABSTRACT_SOCKETS: Final = 0b11

_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_OTHER_ABI: Final = 0x40000000
_CLONE_THREAD: Final = 0x10000

REFUSED: Final = (
    "socket",
    "socketpair",
    "connect",
    "bind",
    "listen",
    "accept",
    "execve",
    "execveat",
    "fork",
    "vfork",
    "kill",
    "tkill",
    "tgkill",
    "pidfd_open",
    "pidfd_send_signal",
    "pidfd_getfd",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "io_uring_setup",
    "bpf",
    "userfaultfd",
    "add_key",
    "request_key",
    "keyctl",
    "mount",
    "umount2",
    "unshare",
    "setns",
    "chroot",
)
"""System calls that fail with EPERM: no network, no programs, no processes, no signals, no look into others."""

_ALIKE: Final = {"io_uring_setup": 425, "pidfd_send_signal": 424, "pidfd_open": 434, "pidfd_getfd": 438}
_X86_64: Final = _ALIKE | {
    "socket": 41, "connect": 42, "accept": 43, "bind": 49, "listen": 50, "socketpair": 53, "fork": 57, "vfork": 58,
    "execve": 59, "kill": 62, "ptrace": 101, "chroot": 161, "mount": 165, "umount2": 166, "tkill": 200, "tgkill": 234,
    "add_key": 248, "request_key": 249, "keyctl": 250, "unshare": 272, "setns": 308, "process_vm_readv": 310,
    "process_vm_writev": 311, "bpf": 321, "execveat": 322, "userfaultfd": 323,
}  # fmt: skip
_AARCH64: Final = _ALIKE | {
    "umount2": 39, "mount": 40, "chroot": 51, "unshare": 97, "ptrace": 117, "kill": 129, "tkill": 130, "tgkill": 131,
    "socket": 198, "socketpair": 199, "bind": 200, "listen": 201, "accept": 202, "connect": 203, "add_key": 217,
    "request_key": 218, "keyctl": 219, "execve": 221, "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271,
    "bpf": 280, "execveat": 281, "userfaultfd": 282,
}  # fmt: skip
_MACHINES: Final = {"x86_64": (0xC000003E, _X86_64, 56), "aarch64": (0xC00000B7, _AARCH64, 220)}
"""Machine -> (name for the kernel, system calls, the number of `clone`)."""
_CLONE3: Final = 435


def landlock_version() -> int:
    """The kernel's version of Landlock; 0 where there is none or it may not be asked."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_ASKED)))


def has_seccomp() -> bool:
    """Whether this kernel and machine take a filter of system calls."""
    if sys.platform != "linux" or platform.machine() not in _MACHINES:
        return False
    # Asked with a null pointer: a kernel that knows filters says that the pointer is bad.
    return _libc().prctl(_SET_SECCOMP, _FILTER, None, 0, 0) != 0 and ctypes.get_errno() == errno.EFAULT


def what_is_missing() -> tuple[str, ...]:
    """What `confine` cannot do here, in words for people; empty where it can do all."""
    missing = []
    if landlock_version() == 0:
        missing.append("files are not closed off (the kernel has no Landlock)")
    if not has_seccomp():
        missing.append("network and processes are not closed off (no seccomp filter for this kernel or machine)")
    return tuple(missing)


def confine(*, readable: Iterable[Path], memory_bytes: int, open_files: int) -> tuple[str, ...]:
    """Leave this process what it reads beneath `readable`, and no more. Says what could not be done, in words.

    It may go on using the files that it has open. Memory is of addresses.
    """
    missing = []
    missing += [f"{what} is not limited on this system" for what in _limit(memory_bytes, open_files)]
    if sys.platform != "linux":
        return (*missing, *what_is_missing())
    _libc().prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    try:
        _close_files(readable)
    except OSError as error:
        missing.append(f"files are not closed off ({error.strerror})")
    try:
        _close_calls()
    except OSError as error:
        missing.append(f"network and processes are not closed off ({error.strerror})")
    return tuple(missing)


def _limit(memory_bytes: int, open_files: int) -> list[str]:
    try:
        import resource
    except ImportError:
        return ["memory"]
    failed = []
    for what, name, amount in (
        ("memory", resource.RLIMIT_AS, memory_bytes),
        ("the number of open files", resource.RLIMIT_NOFILE, open_files),
        ("the core file", resource.RLIMIT_CORE, 0),
    ):
        try:
            resource.setrlimit(name, (amount, amount))
        except (ValueError, OSError):
            failed.append(what)
    return failed


def _close_files(readable: Iterable[Path]) -> None:
    version = landlock_version()
    if version == 0:
        raise OSError(errno.ENOSYS, "the kernel has no Landlock")
    handled = (1 << _RIGHTS_OF.get(version, 16)) - 1
    words = [handled]
    if version >= _NET_FROM:
        words.append(_TCP)
    if version >= _SCOPE_FROM:
        words.append(_SIGNALS_AND_ABSTRACT_SOCKETS)
    attributes = struct.pack(f"={len(words)}Q", *words)
    ruleset = _called(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    try:
        for path in readable:
            try:
                opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                # What is not there needs no right.
                continue
            try:
                rights = _READ_FILE | (_READ_DIR if path.is_dir() else 0)
                _called(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, opened), 0)
            finally:
                os.close(opened)
        _called(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _close_calls() -> None:
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        raise OSError(errno.ENOSYS, f"no filter is known for {platform.machine()}")
    program = filter_of(*machine)
    lines = ctypes.create_string_buffer(program)
    # struct sock_fprog: a count, and a pointer that stands on its own size.
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(lines))
    if _libc().prctl(_SET_SECCOMP, _FILTER, ctypes.c_char_p(header), 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def filter_of(architecture: int, calls: dict[str, int], clone: int) -> bytes:
    """The filter's program, 8 bytes a line: jumps skip as many lines as they say when true, and when false."""
    refuse, unknown = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS
    lines = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_AT_LEAST, 0, 1, _OTHER_ABI),
        (_RETURN, 0, 0, refuse),
        # Its arguments cannot be looked into; who is told that there is none takes `clone`, whose can.
        (_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, unknown),
    ]
    for name in REFUSED:
        if name in calls:
            lines += [(_EQUAL, 0, 1, calls[name]), (_RETURN, 0, 0, refuse)]
    lines += [
        # A thread may begin, a process may not.
        (_EQUAL, 0, 3, clone),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        (_ANY_BIT, 1, 0, _CLONE_THREAD),
        (_RETURN, 0, 0, refuse),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _called(number: int, *arguments: object) -> int:
    answer = int(_libc().syscall(number, *arguments))
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
