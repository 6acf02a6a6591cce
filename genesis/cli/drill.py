"""`genesis drill restart`: kill an engine of its own in the middle of trading, start it again, and compare.

The engine is a process like any other, started by this command on the given user directory; `kill -9` is what happens
to it. Before and after are told by its own API, and everything that must be the same is compared: no order lost or
doubled, no trade twice, positions equal to the trades, halts kept, every position with its stop.
"""

import contextlib
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Final

import attrs
from cyclopts import App, Parameter

from genesis.cli import printing
from genesis.cli.examples import epilogue
from genesis.cli.failures import CommandFailed
from genesis.cli.options import Where, environment
from genesis.edge import run_file
from genesis.edge.user_dir import UserDir
from genesis.run_options import ExitCode

LOOK_S: Final = 0.05
START_WITHIN_S: Final = 90.0
SETTLED_WITHIN_S: Final = 60.0
STEP: Final = Decimal("0.00000001")
ROWS: Final = 1000
LONGER: Final = "live long enough: a longer recording or a lower --speed is needed"
ENDED: Final = frozenset({"FILLED", "CANCELED", "REJECTED", "EXPIRED", "DEAD"})
TRIES: Final = 20
PUBLISHED_S: Final = 0.6

drill = App(
    name="drill",
    help_epilogue=epilogue("drill"),
    help_format="markdown",
    help="Rehearse what should never happen, on an account that is not real.",
)


@attrs.frozen(kw_only=True)
class Books:
    """What an engine says of itself at one moment; rows as its API gives them."""

    orders: tuple[Mapping[str, Any], ...]
    trades: tuple[Mapping[str, Any], ...]
    trades_total: int
    positions: Mapping[str, Decimal]
    trading: str
    naked: int
    worst_naked_s: float


@attrs.frozen
class Check:
    """One thing that must hold; `faults` says where it does not."""

    name: str
    faults: tuple[str, ...]
    looked_at: int


def compare(before: Books, after: Books) -> tuple[Check, ...]:
    """Everything that a restart must not change. Trading may have gone on in between: new rows are no faults."""
    known = _names(after)
    # Answers are pages of the newest: what is older than the whole page is not missing.
    oldest = min(known, default=0) if len(after.orders) >= ROWS else 0
    lost = [
        f"order {row['cid']} ({row['state']})"
        for row in before.orders
        if not _is_known(row, known) and row["cid"] > oldest and not row["foreign"]
    ]
    cids = Counter(row["cid"] for row in after.orders if not row["foreign"])
    venue_ids = Counter(row["venue_id"] for row in after.orders if row["venue_id"] is not None)
    doubled = [f"client id {cid}: {count} orders" for cid, count in cids.items() if count > 1]
    doubled += [f"venue id {venue_id}: {count} orders" for venue_id, count in venue_ids.items() if count > 1]
    states = {row["cid"]: row["state"] for row in after.orders}
    reopened = [
        f"order {row['cid']} was {row['state']}, is {states[row['cid']]}"
        for row in before.orders
        if row["state"] in ENDED and states.get(row["cid"], row["state"]) not in ENDED
    ]
    told = Counter(_trade(row) for row in after.trades)
    since = min((row["time_ms"] for row in after.trades), default=0)
    forgotten = [
        f"trade {row['trade_id']}" for row in before.trades if not told[_trade(row)] and row["time_ms"] > since
    ]
    twice = [f"trade {trade_id}: {count} times" for (trade_id, _), count in told.items() if count > 1]
    doubts = [f"order {row['cid']}: {row['reason']}" for row in after.orders if row["state"] == "UNKNOWN"]
    return (
        Check("no order is lost", tuple(lost), len(before.orders)),
        Check("no order is doubled", tuple(doubled), len(after.orders)),
        Check("no order comes back from its end", tuple(reopened), len(before.orders)),
        Check("no order is in doubt", tuple(doubts), len(after.orders)),
        Check("no trade is forgotten", tuple(forgotten), len(before.trades)),
        Check("no trade is booked twice", tuple(twice), len(after.trades)),
        Check("positions are the trades", tuple(_unexplained(before, after)), len(after.positions)),
        Check("halts are kept", _changed(before.trading, after.trading), 1),
        Check(
            "every position has its stop", (f"{after.naked} have none",) if after.naked else (), len(after.positions)
        ),
    )


def _names(books: Books) -> dict[int, tuple[object, object]]:
    """Client id -> (intent id, venue id) of our own orders. A life that forgot everything counts its client ids from 1
    again, and its stops have the names of those before them."""
    return {row["cid"]: (row.get("intent_id"), row["venue_id"]) for row in books.orders if not row["foreign"]}


def _is_known(row: Mapping[str, Any], known: Mapping[int, tuple[object, object]]) -> bool:
    intent_id, venue_id = known.get(row["cid"], (None, None))
    return row["cid"] in known and intent_id == row.get("intent_id") and row["venue_id"] in (None, venue_id)


def _trade(row: Mapping[str, Any]) -> tuple[int, int]:
    return row["trade_id"], row["venue_order_id"]


def _changed(before: str, after: str) -> tuple[str, ...]:
    # A breaker or a limit may stop trading at any moment; that it goes on by itself after a halt is the fault.
    return () if before == after or before == "ACTIVE" else (f"was {before}, is {after}",)


def _unexplained(before: Books, after: Books) -> Iterator[str]:
    """Positions that moved by something else than the trades that came since."""
    old = {_trade(row) for row in before.trades}
    new = [row for row in after.trades if _trade(row) not in old and not row["foreign"]]
    if after.trades_total - before.trades_total != len(new):
        # More trades than an answer holds: nothing can be said.
        return
    for symbol in sorted({*before.positions, *after.positions}):
        moved = after.positions.get(symbol, Decimal(0)) - before.positions.get(symbol, Decimal(0))
        traded = sum((_signed(row) for row in new if row["symbol"] == symbol), Decimal(0))
        if abs(moved - traded) > STEP * (len(new) + 1):
            yield f"{symbol} moved by {moved}, its trades by {traded}"


def _signed(row: Mapping[str, Any]) -> Decimal:
    quantity, fee = Decimal(row["quantity"]), Decimal(row["fee"])
    base = row["symbol"][1:].split(":")[0] if ":" in row["symbol"] else row["symbol"][1:-3]
    in_coins = fee if row["fee_currency"] == base and not row.get("margin") else Decimal(0)
    return (quantity if row["side"] == "buy" else -quantity) + in_coins


@drill.command
def restart(
    *,
    times: Annotated[int, Parameter(help="How many deaths.")] = 1,
    after: Annotated[float, Parameter(help="Seconds of trading before each death.")] = 10.0,
    mode: Annotated[str, Parameter(help="sim or paper; never live.")] = "sim",
    recording: Annotated[str | None, Parameter(help="The recording to trade (mode sim).")] = None,
    speed: Annotated[str, Parameter(help="Recorded seconds a second (mode sim).")] = "600",
    graceful: Annotated[bool, Parameter(negative="", help="Ask it to stop (SIGTERM) instead of killing it.")] = False,
    json: Annotated[bool, Parameter(negative="", help="Print JSON for programs instead of tables.")] = False,
    where: Where | None = None,
) -> int:
    """Kill an engine in the middle of trading, start it again, and report what was before and after.

    The engine is started by this command on the user directory, which no other engine may be using. Exit code 1 when
    anything that must be the same was not.
    """
    if mode not in ("sim", "paper"):
        raise CommandFailed(f"--mode must be sim or paper, was {mode}", ExitCode.CONFIGURATION)
    if times < 1 or not 0 <= after <= 3600:
        raise CommandFailed("--times must be at least 1 and --after from 0 to 3600", ExitCode.CONFIGURATION)
    user_dir = (where or Where()).user_dir
    arguments = ["--mode", mode, "--port", "0", "--data-dir", str(user_dir.root)]
    arguments += ["--speed", speed] if mode == "sim" else []
    arguments += [] if recording is None else ["--recording", recording]
    reports = []
    with _Engine(user_dir, arguments) as engine:
        engine.start()
        for _ in range(times):
            engine.live_for(after)
            before = engine.books()
            died_at = time.monotonic()
            engine.end(graceful=graceful)
            engine.start()
            up_s = time.monotonic() - died_at
            reports.append((before, engine.settled(before), up_s))
        engine.end(graceful=True)
    found = [(before, now, up_s, compare(before, now)) for before, now, up_s in reports]
    broken = sum(bool(check.faults) for *_, checks in found for check in checks)
    if json:
        printing.print_json({"deaths": [_as_json(*one) for one in found], "broken": broken})
    else:
        for number, one in enumerate(found, 1):
            _print(number, len(found), *one)
    return ExitCode.ERROR if broken else ExitCode.OK


def _figures(books: Books) -> list[tuple[str, object]]:
    open_orders = [row for row in books.orders if row["state"] not in ENDED]
    held = {symbol: str(quantity) for symbol, quantity in books.positions.items() if quantity}
    return [
        ("orders", len(books.orders)),
        ("open orders", len(open_orders)),
        ("trades", books.trades_total),
        ("positions", ", ".join(f"{symbol} {quantity}" for symbol, quantity in held.items()) or "none"),
        ("trading", books.trading),
        ("without a stop", books.naked),
    ]


def _as_json(before: Books, now: Books, up_s: float, checks: Sequence[Check]) -> dict[str, object]:
    return {
        "before": dict(_figures(before)),
        "after": dict(_figures(now)),
        "up_again_s": round(up_s, 2),
        "naked_s": round(now.worst_naked_s, 2),
        "checks": [{"name": each.name, "looked_at": each.looked_at, "faults": list(each.faults)} for each in checks],
    }


def _print(number: int, of: int, before: Books, now: Books, up_s: float, checks: Sequence[Check]) -> None:
    print(f"death {number} of {of}: up again after {up_s:.1f} s, longest without a stop {now.worst_naked_s:.1f} s")
    rows = [(name, was, is_now) for (name, was), (_, is_now) in zip(_figures(before), _figures(now), strict=True)]
    printing.table("", ("", "before", "after"), rows)
    printing.table(
        "",
        ("must hold", "looked at", ""),
        [(each.name, each.looked_at, "; ".join(each.faults[:5]) or "ok") for each in checks],
    )


class _Engine(contextlib.AbstractContextManager["_Engine"]):
    """A process of the program, ended whatever happens."""

    def __init__(self, user_dir: UserDir, arguments: Sequence[str]) -> None:
        self._user_dir = user_dir
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._said = tempfile.TemporaryFile()

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._said.close()

    def start(self) -> None:
        """Until its API answers and it may trade. Raises CommandFailed with what it said when it does not come up."""
        self._process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-P", "-m", "genesis", "run", *self._arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            env={**environment(), "GENESIS_LOGS__LEVEL": "error"},
        )
        self._wait(self._is_ready, START_WITHIN_S, "become ready to trade")

    def _wait(self, condition: Callable[[], bool], within_s: float, what: str) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            assert self._process is not None
            if self._process.poll() is not None:
                self._said.seek(0)
                lines = self._said.read().decode(errors="replace").strip().splitlines()
                reason = lines[-1].removeprefix("genesis: ") if lines else f"exit code {self._process.returncode}"
                raise CommandFailed(f"the engine did not {what}: {reason}")
            if time.monotonic() > deadline:
                raise CommandFailed(f"the engine did not {what} in {within_s:.0f} s", ExitCode.TIME_OUT)
            time.sleep(LOOK_S)

    def _get(self, path: str, **query: object) -> Any:
        from genesis.cli.client import Client

        return Client(self._user_dir, None).get(path, **query)

    def _is_ready(self) -> bool:
        assert self._process is not None
        written = run_file.read(self._user_dir.run_file)
        if written is None or written.pid != self._process.pid:
            return False
        try:
            return bool(self._get("/metrics/summary")["gauges"].get("genesis_ready_to_trade"))
        except CommandFailed:
            return False

    def live_for(self, seconds: float) -> None:
        """Let it trade. Raises CommandFailed when it ends by itself."""
        until = time.monotonic() + seconds
        self._wait(lambda: time.monotonic() >= until, seconds + 10, LONGER)

    def _trades_total(self) -> int:
        return int(self._get("/metrics/summary")["counters"]["genesis_fills_total"])

    def books(self) -> Books:
        """One moment's books. Answers come one after another, so they are asked for until no trade fell between."""
        for _ in range(TRIES):
            total = self._trades_total()
            # The account is published a few times a second.
            time.sleep(PUBLISHED_S)
            found = self._books(total)
            if self._trades_total() == total:
                break
        return found

    def _books(self, trades_total: int) -> Books:
        orders = [*self._get("/orders", state="open", limit=ROWS)["orders"]]
        seen = {row["cid"] for row in orders}
        orders += [row for row in self._get("/orders/history", limit=ROWS)["orders"] if row["cid"] not in seen]
        trades = self._get("/trades", limit=ROWS)["trades"]
        watch = self._get("/protection")["watch"]
        risk = self._get("/risk/unified/status")["risk"]
        return Books(
            orders=tuple(orders),
            trades=tuple(trades),
            trades_total=trades_total,
            positions={row["symbol"]: Decimal(row["quantity"]) for row in self._get("/positions")["positions"]},
            trading="unknown" if risk is None else str(risk["state"]),
            naked=int(watch["naked"]),
            worst_naked_s=float(watch["worst_naked_s"]),
        )

    def settled(self, before: Books) -> Books:
        """The books once doubts are resolved and every position has its stop, or as they are after a
        minute."""
        deadline = time.monotonic() + SETTLED_WITHIN_S
        while True:
            now = self.books()
            known = _names(now)
            calm = now.naked == 0 and all(row["state"] != "UNKNOWN" for row in now.orders)
            found = all(row["foreign"] or _is_known(row, known) for row in before.orders)
            if (calm and found) or time.monotonic() > deadline:
                return now
            time.sleep(LOOK_S)

    def end(self, *, graceful: bool) -> None:
        assert self._process is not None
        if graceful:
            self._process.terminate()
            try:
                self._process.wait(30)
                return
            except subprocess.TimeoutExpired:
                pass
        self._process.kill()
        self._process.wait()
