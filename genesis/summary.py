"""The summary of a run: what was traded, what it made, what was refused, and how the machinery did."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

import attrs
import msgspec
from rich.table import Table

from genesis.domain.decision_log import DECISION_KINDS, SIGNAL_KIND, VERDICT_KIND, decision_line, read_decision
from genesis.domain.performance import DAY_MS, HOUR_MS
from genesis.edge.store import ReadOnlyStore
from genesis.engine import Engine
from protocols.account import Performance
from protocols.journal import ReadRecords
from protocols.risk import Verdict
from protocols.units import plain

RECORDS_A_READ: Final = 1_000


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """`decisions_sha256` is over all decision lines of the session (live: of this run); equal runs have equal ones.

    Empty, with no signals, verdicts and denials counted, where reading them would have held up the end.
    """

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


@attrs.frozen
class Decided:
    """What a run decided: how many decisions of each kind, refusals by code, and one hash over all lines."""

    kinds: Counter[str] = attrs.field(factory=Counter)
    denials: Counter[str] = attrs.field(factory=Counter)
    sha256: str = ""


def decided(path: Path, *, after_seq: int = 0) -> Decided:
    """Read every decision of the journal behind `after_seq`, a page at a time. Raises StoreError.

    Call it in a thread: of months there are millions. It reads through a connection of its own, so it may be left
    alone there when nobody can wait for it any longer.
    """
    kinds: Counter[str] = Counter()
    denials: Counter[str] = Counter()
    whole = hashlib.sha256()
    with ReadOnlyStore.open(path) as store:
        # The order of `in_canonical_order`: kind after kind.
        for kind in DECISION_KINDS:
            after, more = after_seq, True
            while more:
                found = store.read_records(ReadRecords(kinds=(kind,), after_seq=after, limit=RECORDS_A_READ)).records
                for kept in found:
                    kinds[kind] += 1
                    decision = read_decision(kept.record)
                    whole.update(decision_line(decision) + b"\n")
                    if isinstance(decision, Verdict):
                        for rule in decision.denials:
                            denials[str(rule.code)] += 1
                more = len(found) == RECORDS_A_READ
                after = found[-1].seq if found else after
    return Decided(kinds, denials, whole.hexdigest())


def summarise(
    engine: Engine,
    *,
    mode: str,
    recording: str,
    finished: bool,
    wall_s: float,
    ready_after_s: float | None,
    replay_s: float | None,
    decisions: Decided | None,
    problem: str | None,
) -> Summary:
    """Read everything off an engine that has stopped. `decisions` is None when there were too many to read."""
    counted = decisions or Decided()
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
        signals=counted.kinds[SIGNAL_KIND],
        verdicts=counted.kinds[VERDICT_KIND],
        denials=dict(counted.denials.most_common()),
        orders=orders.orders_total,
        orders_open=len(orders.open),
        orders_unknown=orders.unknown,
        fills=orders.fills_total,
        performance=None if account is None else account.performance,
        actor_crashes=engine.restarts_total,
        reconnects=sum(stats.falls for stats in engine.stats.values()),
        dead_letters=len(engine.supervisor.dead_letters),
        decisions_sha256=counted.sha256,
        problem=problem,
    )


_PERIODS: Final = {HOUR_MS: "hour", DAY_MS: "day"}


def table_of(summary: Summary) -> Table:
    """It as a table for a person."""
    table = Table(title=f"{summary.mode} {summary.recording}".strip(), show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(justify="right")
    for name, value in _rows(summary):
        table.add_row(name, value)
    return table


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
            (
                f"Sharpe (a year, returns by the {_PERIODS[made.sharpe_period_ms]})",
                "too short" if made.sharpe is None else f"{made.sharpe:.2f}",
            ),
            ("closed trades", str(made.trades)),
            ("win rate", "none closed" if made.winrate is None else f"{made.winrate:.1%}"),
            ("fees", f"{_money(made.fees_quote)} {quote}"),
        ]
    refused = ", ".join(f"{code} {count}" for code, count in summary.denials.items()) or "none"
    if summary.decisions_sha256:
        rows += [
            ("signals", str(summary.signals)),
            ("verdicts", str(summary.verdicts)),
            ("refusals", refused),
        ]
    rows += [
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
        ("decisions sha256", summary.decisions_sha256[:16] or "too many to read while stopping"),
    ]
    if summary.problem is not None:
        rows.append(("problem", summary.problem))
    return rows


def _money(amount: Decimal) -> str:
    return plain(amount.quantize(Decimal("0.01")))
