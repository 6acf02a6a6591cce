"""What the service manager is told, on a real socket, and that one which is deaf or absent stops nothing."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from genesis.edge.health_file import Health, read_health
from genesis.edge.service_manager import LONGEST_STATUS, ServiceManager

HEALTH = Health(
    pid=7,
    mode="sim",
    state="running",
    ready=True,
    at_ms=10_000,
    every_s=5.0,
    trading="ACTIVE",
    orders_open=2,
    orders_in_doubt=0,
    actor_crashes=1,
    dead_letters=0,
    longest_block_s=0.25,
)


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@genesis-test-{tmp_path.name}-{id(request)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name[1:] if name.startswith("@") else name)
        listener.settimeout(5)
        yield name, listener


def test_it_hears_that_we_start_are_ready_live_and_stop(manager: tuple[str, socket.socket]) -> None:
    name, listener = manager
    told = ServiceManager.of({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, pid=7)
    assert told.watchdog_s == 30.0
    assert told.starting(60.0, "verifying")
    assert listener.recv(4096) == b"EXTEND_TIMEOUT_USEC=60000000\nSTATUS=verifying"
    assert told.ready("sim, running\nREADY=0")
    assert listener.recv(4096).decode().split("\n")[:2] == ["READY=1", "STATUS=sim, running READY=0"]
    assert told.alive("x" * 10_000)
    assert len(listener.recv(65536)) <= LONGEST_STATUS + 20
    assert told.stopping("bye")
    assert listener.recv(4096) == b"STOPPING=1\nSTATUS=bye"


def test_where_nobody_listens_nothing_happens(tmp_path: Path) -> None:
    assert not ServiceManager.of({}, pid=7).alive("x")
    assert not ServiceManager.of({"NOTIFY_SOCKET": "tcp:somewhere"}, pid=7).listens
    gone = ServiceManager.of({"NOTIFY_SOCKET": str(tmp_path / "gone")}, pid=7)
    assert gone.listens
    assert not gone.alive("x")


def test_a_manager_that_does_not_read_is_not_waited_for(manager: tuple[str, socket.socket]) -> None:
    told = ServiceManager.of({"NOTIFY_SOCKET": manager[0]}, pid=7)
    assert not all(told.alive("x" * 400) for _ in range(10_000))


@pytest.mark.parametrize(
    ("limit", "pid"), [("0", "7"), ("", "7"), ("-5", "7"), ("many", "7"), ("30000000", "8"), ("\u0663", "7")]
)
def test_a_watchdog_that_is_not_for_us_is_none(limit: str, pid: str) -> None:
    environment = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": limit, "WATCHDOG_PID": pid}
    assert ServiceManager.of(environment, pid=7).watchdog_s is None


def test_a_health_file_is_read_as_it_was_written_and_grows_old(tmp_path: Path) -> None:
    path = tmp_path / "health.json"
    assert HEALTH.write(path)
    assert read_health(path) == HEALTH
    assert path.stat().st_mode & 0o777 == 0o600
    assert HEALTH.is_fresh(10_000)
    assert HEALTH.is_fresh(25_000)
    assert not HEALTH.is_fresh(25_001)
    assert not HEALTH.write(tmp_path / "no" / "such" / "folder.json")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"pid": 1}', b"\xff\xfe", b'{"pid": "seven"}'])
def test_a_health_file_that_makes_no_sense_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "health.json"
    assert read_health(path) is None
    path.write_bytes(content)
    assert read_health(path) is None
