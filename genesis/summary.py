"""The summary of a run: what was traded, what it made, what was refused, and how the machinery did."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import msgspec
from rich.console import Console
from rich.table import Table

from genesis.domain.decision_log import DECISION_KINDS, digest, record_lines
from genesis.edge.store import Store
from genesis.engine import Engine
from protocols.account import Performance
from protocols.journal import ReadRecords
from protocols.risk import Verdict
from protocols.units import plain

RECORDS_A_READ = 10_000
_decode_verdict = msgspec.json.Decoder(Verdict).decode


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """`decisions_sha256` is over all decision lines of the session (live: of this run); equal runs have equal ones."""

    mode: str
    recording: str
    finished: bool
    quote_currency: str
    wall_s: float
    ready_after_s: float | None
    replay_s: float | None
    frames: int
    frames_per_s: float | None
    signals: int
    verdicts: int
    denials: dict[str, int]
    orders: int
    orders_open: int
    orders_unknown: int
    fills: int
    performance: Performance | None
    actor_crashes: int
    reconnects: int
    dead_letters: int
    decisions_sha256: str
    problem: str | None

    def json(self) -> str:
        """One line; decimals as plain text."""
        return msgspec.json.Encoder(decimal_format="string").encode(self).decode()


def decision_lines(store: Store, *, after_seq: int = 0) -> tuple[list[bytes], Counter[str], Counter[str]]:
    """Every decision line of the journal behind `after_seq`, how many of each kind, and the denials by code."""
    lines: list[bytes] = []
    kinds: Counter[str] = Counter()
    denials: Counter[str] = Counter()
    after = after_seq
    while True:
        found = store.read_records(ReadRecords(kinds=DECISION_KINDS, after_seq=after, limit=RECORDS_A_READ)).records
        records = [kept.record for kept in found]
        lines += record_lines(records)
        for record in records:
            kinds[record.kind] += 1
            if record.kind == "Verdict":
                for rule in _decode_verdict(record.payload).denials:
                    denials[str(rule.code)] += 1
        if len(found) < RECORDS_A_READ:
            return lines, kinds, denials
        after = found[-1].seq


def summarise(
    engine: Engine,
    *,
    mode: str,
    recording: str,
    finished: bool,
    wall_s: float,
    ready_after_s: float | None,
    replay_s: float | None,
    lines: tuple[list[bytes], Counter[str], Counter[str]],
    problem: str | None,
) -> Summary:
    """Read everything off an engine that has stopped."""
    decided, kinds, denials = lines
    orders = engine.cells.orders.value
    account = engine.cells.account.value
    frames = sum(stats.frames_in for stats in engine.stats.values())
    return Summary(
        mode=mode,
        recording=recording,
        finished=finished,
        quote_currency=engine.cells.settings.value.quote_currency,
        wall_s=round(wall_s, 3),
        ready_after_s=None if ready_after_s is None else round(ready_after_s, 3),
        replay_s=None if replay_s is None else round(replay_s, 3),
        frames=frames,
        frames_per_s=round(frames / replay_s, 1) if replay_s else None,
        signals=kinds["SignalScore"],
        verdicts=kinds["Verdict"],
        denials=dict(denials.most_common()),
        orders=orders.orders_total,
        orders_open=len(orders.open),
        orders_unknown=orders.unknown,
        fills=orders.fills_total,
        performance=None if account is None else account.performance,
        actor_crashes=engine.restarts_total,
        reconnects=sum(stats.falls for stats in engine.stats.values()),
        dead_letters=len(engine.supervisor.dead_letters),
        decisions_sha256=digest(decided),
        problem=problem,
    )


def show(summary: Summary) -> None:
    """Print it as a table for a person."""
    table = Table(title=f"{summary.mode} {summary.recording}".strip(), show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(justify="right")
    for name, value in _rows(summary):
        table.add_row(name, value)
    Console().print(table)


def _rows(summary: Summary) -> Sequence[tuple[str, str]]:
    quote = summary.quote_currency
    rows: list[tuple[str, str]] = []
    made = summary.performance
    if made is not None:
        rows += [
            ("start equity", f"{_money(made.start_equity)} {quote}"),
            ("final equity", f"{_money(made.final_equity)} {quote}"),
            ("return", f"{made.total_return:+.2%}"),
            ("max drawdown", f"{made.max_drawdown:.2%}"),
            ("Sharpe (annualised)", "too short" if made.sharpe is None else f"{made.sharpe:.2f}"),
            ("closed trades", str(made.trades)),
            ("win rate", "none closed" if made.winrate is None else f"{made.winrate:.1%}"),
            ("fees", f"{_money(made.fees_quote)} {quote}"),
        ]
    refused = ", ".join(f"{code} {count}" for code, count in summary.denials.items()) or "none"
    rows += [
        ("signals", str(summary.signals)),
        ("verdicts", str(summary.verdicts)),
        ("refusals", refused),
        ("orders", f"{summary.orders} ({summary.orders_open} open, {summary.orders_unknown} in doubt)"),
        ("fills", str(summary.fills)),
        ("frames from the venue", str(summary.frames)),
    ]
    if summary.replay_s:
        rows.append(("replayed in", f"{summary.replay_s:.1f} s ({summary.frames_per_s:,.0f} frames/s)"))
    if summary.ready_after_s is not None:
        rows.append(("ready to trade after", f"{summary.ready_after_s:.2f} s"))
    rows += [
        ("actor crashes, reconnects", f"{summary.actor_crashes}, {summary.reconnects}"),
        ("dead letters", str(summary.dead_letters)),
        ("decisions sha256", summary.decisions_sha256[:16]),
    ]
    if summary.problem is not None:
        rows.append(("problem", summary.problem))
    return rows


def _money(amount: Decimal) -> str:
    return plain(amount.quantize(Decimal("0.01")))
