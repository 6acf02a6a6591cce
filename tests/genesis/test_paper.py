"""Mode paper and the look at a key, by the program itself; one of our exchanges plays the real venue."""

import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import msgspec
import pytest
import trio
from trio.testing import MockClock

from genesis.core.chance import Chance
from genesis.core.clock import TrioClock
from genesis.domain.rest_budget import RestBudget
from genesis.domain.settings_build import Built, Layer, build
from genesis.edge.health_file import read_health
from genesis.edge.user_dir import UserDir
from genesis.paper_session import _give_up, open_paper
from genesis.run_options import CannotStart, ExitCode, Mode, RunOptions
from tests.redis_server import PORTS

PROGRAM = Path(sys.executable).with_name("genesis")
NOWHERE = "ws://127.0.0.1:9/ws/2"
PATIENCE_S = 120.0
"""How long a program may take for anything. It is spent only where something is wrong, or on a very busy machine."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(8 * PATIENCE_S)]


@contextlib.contextmanager
def real_venue(speed: str = "60", *, port: int = 0) -> Iterator[dict[str, str]]:
    command = [sys.executable, "-m", "genesis.simulator", "--at-once", "--speed", speed, "--recording", "2018-02-crash"]
    command += ["--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = dict(process.stdout.readline().strip().split(" ", 1) for _ in range(2))
            yield found
        finally:
            process.kill()


def a_port_for_later() -> int:
    """Nobody listens there, and the system gives it to nobody who dials."""
    while True:
        port = random.choice(PORTS)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def environment(home: Path, venue: dict[str, str], **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GENESIS_", "BITFINEX_", "JWT_"))}
    return kept | {
        "GENESIS_HOME": str(home),
        "BITFINEX_PUBLIC_API_URL": venue["rest"],
        "BITFINEX_AUTH_API_URL": venue["rest"],
        "BITFINEX_WS_PUBLIC_URI": venue["websocket"],
        "BITFINEX_WS_AUTH_URI": venue["websocket"],
        **more,
    }


class Page:
    """The API of a run, signed in with the ticket that it printed."""

    def __init__(self, lines: Iterable[str]) -> None:
        found = next(filter(None, (re.match(r"page: (\S+)/\?ticket=(\w+)", line) for line in lines)))
        self.address, self.token = found[1], ""
        self.token = self.ask("POST", "auth/ticket", {"ticket": found[2]})["token"]

    def ask(self, method: str, path: str, body: Any = None, *, patience_s: float = PATIENCE_S) -> Any:
        """What the engine answers; asked again while it says that it may say something else in a moment: risk takes no
        order while a candle is late, as it is on a busy machine."""
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        end = time.monotonic() + patience_s
        while True:
            answer = httpx.request(method, f"{self.address}/api/v2/{path}", json=body, headers=headers, timeout=60)
            if answer.status_code != 503 or time.monotonic() > end:
                break
            time.sleep(float(answer.headers["Retry-After"]))
        try:
            answer.raise_for_status()
        except httpx.HTTPStatusError as error:
            error.add_note(answer.text)
            raise
        return answer.json()

    def wait_for(
        self,
        path: str,
        name: str,
        *,
        being: Any = None,
        having: Callable[[Any], bool] = lambda found: True,
        within_s: float = PATIENCE_S,
    ) -> Any:
        """Until an answer has something under a name: `being` this very thing, or `having` what is asked for."""
        end = time.monotonic() + within_s
        while True:
            found = self.ask("GET", path)[name]
            if found and being in (None, found) and having(found):
                return found
            assert time.monotonic() < end, f"{name} of {path} must come within {within_s} s, was {found}"
            time.sleep(0.1)


def _measured(risk: dict[str, Any]) -> bool:
    return bool({"spread tBTCUSD", "data_age tBTCUSD"} <= risk["conditions"].keys())


def test_paper_money_trades_on_the_real_market_and_is_kept(tmp_path: Path) -> None:
    with real_venue() as venue:
        # Nobody but the person trades: sixty minutes of this market pass in one, and a busy machine takes its time.
        (tmp_path / "home" / "config").mkdir(parents=True)
        idle = [{"name": "idle", "kind": "ema_cross", "symbol": "tBTCUSD", "timeframe": "5m", "enabled": False}]
        (tmp_path / "home" / "config" / "strategies.json").write_text(json.dumps(idle))
        settings = environment(tmp_path / "home", venue)
        summaries = []
        for life in range(2):
            with subprocess.Popen(
                [PROGRAM, "run", "--mode", "paper", "--port", "0", "--json"],
                env=settings,
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as process:
                assert process.stderr is not None
                try:
                    page = Page(process.stderr)
                    page.wait_for("status", "state", being="running")
                    if life == 0:
                        status = page.ask("GET", "status")
                        assert (status["mode"], status["replay"]) == ("paper", None)
                        page.ask("POST", "order", {"symbol": "tBTCUSD", "side": "buy", "amount": "0.01"})
                    fills = page.wait_for("trades", "trades")
                    assert [fill["quantity"] for fill in fills] == ["0.01"]
                    # A real market does not wait: its spread and the age of its data are risk's business, as live.
                    # Each is told by itself, as soon as it is known.
                    heard = page.wait_for("risk/unified/status", "risk", having=_measured)["conditions"]
                    assert "clock_skew " not in heard, "the exchange's clock is ours"
                    [position] = page.wait_for("positions", "positions")
                    assert position["symbol"] == "tBTCUSD"
                finally:
                    process.send_signal(signal.SIGINT)
                    out, _ = process.communicate(timeout=PATIENCE_S)
            summaries.append(json.loads(out.splitlines()[-1]))
        assert [each["problem"] for each in summaries] == [None, None]
        assert not (tmp_path / "home" / "sim.sqlite").exists()


async def test_paper_without_the_real_feed_says_so(tmp_path: Path) -> None:
    built = build((Layer(name="test", values={"venue.public_ws_uri": NOWHERE, "connection.backoff_base_s": 0.1}),))
    assert isinstance(built, Built)
    settings = msgspec.structs.replace(
        built.settings, venue=msgspec.structs.replace(built.settings.venue, public_rest_url="http://127.0.0.1:9")
    )
    user_dir = UserDir(tmp_path)
    user_dir.create()
    options = RunOptions(mode=Mode.PAPER, user_dir=user_dir, settings=settings)
    async with contextlib.AsyncExitStack() as stack, trio.open_nursery() as nursery:
        with pytest.raises(CannotStart, match=f"needs the public feed at {NOWHERE}"):
            await open_paper(
                nursery,
                stack,
                options=options,
                clock=TrioClock(),
                chance=Chance(1),
                budget=RestBudget(),
                first_word_s=1.0,
            )
        nursery.cancel_scope.cancel()


@attrs.define
class Growing:
    """A relay whose pairs come one after the other, as the venue's limit on histories lets them."""

    every_s: float
    pairs: int

    @property
    def begun(self) -> tuple[int, int, int]:
        known = min(int(trio.current_time() / self.every_s), self.pairs)
        return known, 0, self.pairs


async def test_a_start_with_many_pairs_is_given_as_long_as_more_of_them_come(autojump_clock: MockClock) -> None:
    """Five hundred pairs take the venue twenty minutes: after one it was said that there is no feed."""
    began = trio.current_time()
    with trio.CancelScope() as scope:
        await _give_up(Growing(every_s=50.0, pairs=24), scope, 60.0)
    assert scope.cancel_called
    assert 50 * 24 + 60 <= trio.current_time() - began < 50 * 24 + 70


def test_a_start_that_waits_for_the_market_says_so_and_ends_when_told(tmp_path: Path) -> None:
    """Without a line nothing was said for a minute, and Ctrl-C took fifteen seconds and a dump of every thread."""
    settings = environment(tmp_path / "home", {"rest": "http://127.0.0.1:9", "websocket": NOWHERE})
    with subprocess.Popen(
        [PROGRAM, "run", "--mode", "paper", "--port", "0"],
        env=settings,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        try:
            assert any("waits_for_market" in line and "ConnectFailed" in line for line in process.stderr)
        finally:
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == ExitCode.OK, err
    assert "hard exit" not in err


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("bob-withdraw", "must not be able to withdraw"),
        ("alice-read", "must be able to write orders"),
        ("nobody", "what the API key may do must be known before it is used"),
    ],
)
def test_a_key_that_may_do_too_much_or_too_little_is_refused_before_it_is_used(
    tmp_path: Path, key: str, words: str
) -> None:
    with real_venue() as venue:
        done = subprocess.run(
            [PROGRAM, "run", "--mode", "live", "--live", "--port", "0"],
            env=environment(
                tmp_path / "home",
                venue,
                BITFINEX_API_KEY=key,
                BITFINEX_API_SECRET=f"{key}-secret",
                GENESIS_LIVE_CONFIRM="trade real money",
            ),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == ExitCode.CONFIGURATION, "nobody should start it again and again with that key"
    assert words in done.stderr


def test_a_journal_is_traded_with_a_key_of_its_own_account_alone(tmp_path: Path) -> None:
    """With another account's key the engine took that one's coins for its own, and would have sold them."""
    with real_venue() as venue:

        def keyed(key: str, **more: str) -> dict[str, str]:
            secret = {"BITFINEX_API_KEY": key, "BITFINEX_API_SECRET": key.replace("key", "secret")}
            return environment(tmp_path / "home", venue, GENESIS_LIVE_CONFIRM="trade real money", **secret, **more)

        def start(settings: dict[str, str]) -> subprocess.Popen[str]:
            return subprocess.Popen(
                [PROGRAM, "run", "--mode", "live", "--live", "--port", "0"],
                env=settings,
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )

        # Another key of the same account is as good as the first.
        for key in ("alice-key", "alice-key-2"):
            with start(keyed(key)) as process:
                assert process.stdout is not None
                assert any(line.startswith("page: ") for line in process.stdout), "the engine must come up, did not"
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=60)
            assert process.returncode == ExitCode.OK
        of_two = {"BITFINEX_WS_API_KEY": "bob-key", "BITFINEX_WS_API_SECRET": "bob-secret"}
        for settings, words in (
            (
                keyed("bob-key"),
                r"must be of account \d+, whose orders and positions this journal has, was of account \d+",
            ),
            (keyed("alice-key", **of_two), r"BITFINEX_API_KEY and BITFINEX_WS_API_KEY must be of one account"),
        ):
            with start(settings) as process:
                _, err = process.communicate(timeout=60)
            assert process.returncode == ExitCode.CONFIGURATION
            assert re.search(words, err), err


def test_a_live_start_waits_for_a_venue_that_does_not_answer_yet(tmp_path: Path) -> None:
    """After a power cut the line comes later than the machine: after five starts in a minute nobody began a sixth."""
    port = a_port_for_later()
    venue = {"rest": f"http://127.0.0.1:{port}", "websocket": f"ws://127.0.0.1:{port}/ws/2"}
    keyed = {"BITFINEX_API_KEY": "alice-key", "BITFINEX_API_SECRET": "alice-secret"}
    settings = environment(tmp_path / "home", venue, GENESIS_LIVE_CONFIRM="trade real money", **keyed)
    with subprocess.Popen(
        [PROGRAM, "run", "--mode", "live", "--live", "--port", "0"],
        env=settings,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            assert any("waits_for_venue" in line and "ConnectFailed" in line for line in process.stderr)
            said = next(line for line in process.stdout if "waits since" in line)
            address = re.search(r"until then (\S+) says", said)[1]  # type: ignore[index]
            health = httpx.get(f"{address}/health", timeout=60, trust_env=False)
            assert (health.status_code, health.json()["waits"]["what"]) == (503, "venue")
            assert "ConnectFailed" in health.json()["waits"]["reason"]
            told = tmp_path / "home" / "health.json"
            # The first one was written before there was anything to wait for.
            while (written := read_health(told)) is None or written.waits != "venue":
                time.sleep(0.1)
            assert (written.pid, written.state) == (process.pid, "starting")
            status = subprocess.run([PROGRAM, "status"], env=settings, capture_output=True, text=True, check=False)
            assert status.returncode == ExitCode.OK, status.stderr
            assert re.search(r"waits for +the venue", status.stdout)
            halt = subprocess.run([PROGRAM, "halt"], env=settings, capture_output=True, text=True, check=False)
            assert (halt.returncode, "waits since" in halt.stderr) == (ExitCode.NOT_RUNNING, True)
            with real_venue(port=port):
                assert any(line.startswith("page: ") for line in process.stdout), "it must come up, did not"
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
    assert process.returncode == ExitCode.OK
