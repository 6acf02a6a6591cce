"""Log lines say what happened and never a secret, whichever way it got in."""

import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import structlog

from genesis.edge import logs

ROOT = Path(__file__).resolve().parents[3]
CANARY = 'c4nary"secret\\value'


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    level = logging.getLogger().level
    yield
    logs.configure()
    structlog.reset_defaults()
    logging.getLogger().setLevel(level)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_is_an_event_with_named_values(tmp_path: Path) -> None:
    file, console = tmp_path / "logs" / "engine.log", io.StringIO()
    logs.configure(file=file, console=console)
    structlog.get_logger("genesis.risk").bind(actor="risk").info("denied", code="max_daily_loss", headroom=3)
    [line] = lines(file)
    assert {
        "event": "denied",
        "actor": "risk",
        "code": "max_daily_loss",
        "headroom": 3,
        "level": "info",
    }.items() <= line.items()
    assert line["timestamp"].endswith("Z")
    assert "denied" in console.getvalue()
    assert "\x1b" not in console.getvalue()


def test_no_secret_gets_out_whichever_way_it_got_in(tmp_path: Path) -> None:
    file, console = tmp_path / "engine.log", io.StringIO()
    logs.configure(file=file, console=console, redactor=logs.Redactor([CANARY]), level="debug")
    log = structlog.get_logger("genesis.test")

    def fail(api_key: str) -> None:
        local = api_key + "!"
        raise ValueError(f"refused {api_key}") from KeyError(local)

    log.info("by name", api_secret=CANARY, headers={"Authorization": "Bearer abc", "X-Other": [CANARY]})
    log.info(f"in the event {CANARY}")
    log.info("deep", tree={"a": {"b": {"c": (CANARY, {"token": "abcdefgh"})}}})
    try:
        fail(CANARY)
    except ValueError:
        log.exception("broke")
        logging.getLogger("foreign").exception("broke too with %s", CANARY)
    logging.getLogger("foreign").warning("key is %r", CANARY)
    written = file.read_text() + console.getvalue()
    for form in (CANARY, json.dumps(CANARY)[1:-1], repr(CANARY)[1:-1], "Bearer abc", "abcdefgh", "c4nary"):
        assert form not in written
    assert written.count(logs.MASK) >= 12
    assert "local = api_key" not in written


ADDRESS = "https://user:p4ssword-of-hook@hooks.example.org/services/T0/c4nary-p4th?sig=c4nary%2Fquery"


@pytest.mark.parametrize(
    "text",
    [
        ADDRESS,
        "POST /services/T0/c4nary-p4th?sig=c4nary%2Fquery not sent: ConnectError",
        "redirected to /services/T0/c4nary-p4th?sig=c4nary%2Fquery",
        "401 for user:p4ssword-of-hook",
        f"refused {CANARY}",
        f"https://api.example.org/?key={quote(CANARY)}",
        f"https://api.example.org/{quote(CANARY, safe='')}/x",
    ],
)
def test_a_secret_is_masked_in_every_form_that_an_address_has(text: str) -> None:
    masked = logs.Redactor([CANARY, ADDRESS]).text(text)
    assert logs.MASK in masked
    assert not re.search("c4nary|p4ss|p4th", masked)


def _fail_deep() -> None:
    request = httpx.Request("POST", f"https://api.telegram.org/bot{CANARY}/sendMessage")
    try:
        raise httpx.ConnectError(f"no route to {request.url}", request=request)
    except httpx.ConnectError as error:
        local = [CANARY, error]
        raise ExceptionGroup(f"two of {CANARY}", [ValueError(CANARY), ExceptionGroup("in", [error])]) from KeyError(
            local
        )


def test_a_group_of_errors_with_an_address_in_each_tells_no_secret(tmp_path: Path) -> None:
    file, console = tmp_path / "engine.log", io.StringIO()
    logs.configure(file=file, console=console, redactor=logs.Redactor([CANARY]))
    try:
        _fail_deep()
    except ExceptionGroup:
        structlog.get_logger("x").exception("broke")
        logging.getLogger("foreign").exception("broke")
    written = file.read_text() + console.getvalue() + "\n".join(logs.recent())
    assert "ExceptionGroup" in written
    assert "ConnectError" in written
    assert "c4nary" not in written
    assert "local =" not in written


LAST_WORDS = """
import sys, threading
from genesis.edge import logs
logs.configure(redactor=logs.Redactor([sys.stdin.readline()]))
from tests.genesis.edge.test_logs import _fail_deep
class Grave:
    def __del__(self):
        _fail_deep()
thread = threading.Thread(target=_fail_deep)
thread.start()
thread.join()
grave = Grave()
del grave
_fail_deep()
"""


def test_what_nobody_caught_tells_no_secret_either() -> None:
    """In the main thread, in another one, and where an object is thrown away."""
    done = subprocess.run(
        [sys.executable, "-c", LAST_WORDS], input=CANARY, capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 1
    assert done.stderr.count("ConnectError") >= 3
    assert "c4nary" not in done.stderr


def test_a_secret_learnt_later_is_masked_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "engine.log"
    redactor = logs.configure(file=file)
    redactor.add("learnt-later-1")
    structlog.get_logger("x").info("is learnt-later-1")
    assert lines(file)[0]["event"] == "is ***"
    assert "learnt" not in repr(redactor)


def test_short_values_mask_no_words() -> None:
    assert logs.Redactor(["key"]).text("the key is here") == "the key is here"


def test_counts_under_a_telling_name_stay(tmp_path: Path) -> None:
    file = tmp_path / "engine.log"
    logs.configure(file=file)
    structlog.get_logger("x").info("bucket", tokens_left=7)
    assert lines(file)[0]["tokens_left"] == 7


def test_files_turn_over_and_only_so_many_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "engine.log"
    logs.configure(file=file, file_max_bytes=2_000, files_kept=2)
    log = structlog.get_logger("x")
    for number in range(200):
        log.info("line", number=number)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["engine.log", "engine.log.1", "engine.log.2"]
    assert all(path.stat().st_size <= 2_000 and path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())
    assert lines(file)[-1]["number"] == 199


@pytest.mark.parametrize("what", ["moved", "deleted", "replaced"])
def test_a_file_that_the_machines_own_rotation_takes_away_is_begun_anew(tmp_path: Path, what: str) -> None:
    """Lines went on into the file that was moved, or into one that nobody can read any more."""
    file = tmp_path / "engine.log"
    logs.configure(file=file)
    log = structlog.get_logger("x")
    log.info("before")
    if what == "deleted":
        file.unlink()
    else:
        file.rename(tmp_path / "engine.log.old")
    if what == "replaced":
        file.touch()
    log.info("after")
    log.info("and after")
    assert [line["event"] for line in lines(file)] == ["after", "and after"]
    assert what == "replaced" or file.stat().st_mode & 0o077 == 0
    if what != "deleted":
        assert [line["event"] for line in lines(tmp_path / "engine.log.old")] == ["before"]


def test_configuring_again_replaces_and_does_not_double(tmp_path: Path) -> None:
    file = tmp_path / "engine.log"
    logs.configure(file=file)
    logs.configure(file=file, level="warning")
    structlog.get_logger("x").info("quiet")
    structlog.get_logger("x").warning("once")
    assert [line["event"] for line in lines(file)] == ["once"]


def test_a_full_disk_is_told_once_and_not_for_each_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    file = tmp_path / "engine.log"
    file.symlink_to(full)
    logs.configure(file=file)
    for number in range(3):
        structlog.get_logger("genesis").info("line", number=number)
    logs.configure()
    told = capsys.readouterr().err
    assert told.count("takes no more lines") == 1
    assert "Traceback" not in told


def test_the_newest_lines_are_kept_in_memory_masked_as_in_the_file() -> None:
    redactor = logs.configure(console=None)
    log = structlog.get_logger("test")
    logs.conceal("a-secret-learnt-late")
    log.info("said", what="with a-secret-learnt-late inside")
    newest = json.loads(logs.recent()[-1])
    assert newest["event"] == "said"
    assert newest["what"] == f"with {logs.MASK} inside"
    assert redactor.text("a-secret-learnt-late") == logs.MASK
