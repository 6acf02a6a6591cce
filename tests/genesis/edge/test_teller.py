"""Lines for a terminal: in order, by a thread of their own, and nobody waits for one that stands still."""

import fcntl
import io
import os
import threading
from collections.abc import Iterator
from typing import TextIO

import pytest

from genesis.edge.teller import Teller

PAGE = 4096


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """A pipe with room for a page: its reading end, and a stream that writes to it."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PAGE)
    stream = open(writing, "w")
    yield reading, stream
    stream.close()
    os.close(reading)


def read(reading: int, length: int) -> str:
    data = b""
    while len(data) < length:
        data += os.read(reading, length - len(data))
    return data.decode()


def test_lines_come_in_their_order() -> None:
    stream = io.StringIO()
    teller = Teller(stream)
    for number in range(100):
        teller.say(f"line {number}\n")
    assert teller.end(30)
    assert stream.getvalue().splitlines() == [f"line {number}" for number in range(100)]


def test_nobody_waits_for_a_terminal_that_stands_still(pipe: tuple[int, TextIO]) -> None:
    """The first line fills the pipe and holds the thread; whoever speaks goes on, and what was too much is counted."""
    reading, stream = pipe
    teller = Teller(stream, room=3)
    teller.say("x" * 2 * PAGE + "\n")
    read(reading, 1)  # The thread is in the middle of it now.
    for number in range(10):
        teller.say(f"line {number}\n")
    assert not teller.end(0.0)
    assert read(reading, 2 * PAGE) == "x" * (2 * PAGE - 1) + "\n"
    expected = "line 0\nline 1\nline 2\ngenesis: 7 lines were not shown, nobody took them; the log file has them\n"
    assert read(reading, len(expected)) == expected
    assert teller.end(30)


def test_a_terminal_that_keeps_nobody_waiting_is_waited_for(pipe: tuple[int, TextIO]) -> None:
    """Whoever shares it may have made it so; what it had no room for was lost, and nobody counted it."""
    reading, stream = pipe
    os.set_blocking(stream.fileno(), False)
    assert os.write(stream.fileno(), b"x" * 2 * PAGE) == PAGE
    teller = Teller(stream)
    teller.say("a line\n")
    assert not teller.end(0.05), "it has no room before somebody reads"
    assert read(reading, PAGE + 7) == "x" * PAGE + "a line\n"
    assert teller.end(30)


def test_a_thread_that_cannot_be_had_is_asked_for_again_by_the_next_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start of the engine fell over its greeting, and the terminal heard nothing more."""

    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    stream = io.StringIO()
    teller = Teller(stream)
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refuse)
        teller.say("the first\n")
        assert not teller.end(0.0)
    teller.say("the second\n")
    assert teller.end(30)
    assert stream.getvalue() == "the first\nthe second\n"


def test_a_terminal_that_is_gone_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as stream:
        teller = Teller(stream)
        teller.say("to nobody\n")
        assert teller.end(30)
    teller.say("to a stream that is closed\n")
    assert teller.end(30)
    silent = Teller(None)
    silent.say("to none\n")
    assert silent.end(30)
    assert not silent.isatty()


def test_a_full_disk_is_no_error() -> None:
    with open("/dev/full", "w") as stream:
        teller = Teller(stream)
        teller.say("too much\n")
        assert teller.end(30)
