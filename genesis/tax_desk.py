"""A year for a tax return out of a journal, worked out by a process of its own when the page asks: it reads all trades
there ever were.

`python -m genesis.tax_desk JOURNAL YEAR ZONE KIND` is that process; it answers with one line of JSON.
"""

import os
import sys
from pathlib import Path
from typing import Final

import msgspec
import trio

from genesis.domain.tax_report import CannotExport, Kind, TaxExport, TaxPort, TaxYear, csv_of, tax_year
from genesis.edge.store import ReadOnlyStore
from genesis.edge.store_errors import StoreError
from protocols.journal import ReadRecords
from protocols.orders import Fill
from protocols.plain_text import plain_numbers

PAGE: Final = 10_000
PATIENCE_S: Final = 120.0
NICE: Final = 10
FILL_KIND: Final = "Fill"

_FILLS = msgspec.json.Decoder(Fill)


def fills_of(journal: Path, *, after_seq: int = 0) -> list[Fill]:
    """Every trade that a journal holds behind that record, in its order. Raises StoreError."""
    found: list[Fill] = []
    with ReadOnlyStore.open(journal) as store:
        while True:
            rows = store.read_records(ReadRecords(kinds=(FILL_KIND,), after_seq=after_seq, limit=PAGE)).records
            found += [_FILLS.decode(row.record.payload) for row in rows]
            if len(rows) < PAGE:
                return found
            after_seq = rows[-1].seq


def year_of(journal: Path, year: int, timezone: str) -> TaxYear:
    """Raises StoreError without a journal, ValueError for a year or a zone that cannot be."""
    return tax_year(fills_of(journal), year, timezone)


def export_of(made: TaxYear, kind: Kind, mode: str) -> TaxExport:
    """The year as a file of that kind. The ledger is the venue's to tell, not the journal's."""
    rows = len(made.trades if kind is Kind.TRADES else made.disposals)
    return TaxExport(
        name=f"genesis-{mode}-{made.year}-{kind.value}.csv",
        year=made.year,
        timezone=made.timezone,
        rows=rows,
        csv=csv_of(made, kind),
        totals=made.totals,
        held=made.held,
        notes=made.notes,
    )


def tax_port(journal: Path) -> TaxPort:
    """For the web: one year at a time, beside the engine and behind it for the processors."""
    one_at_a_time = trio.CapacityLimiter(1)

    async def export(year: int, timezone: str, kind: Kind) -> msgspec.Raw:
        words = (sys.executable, "-P", "-m", "genesis.tax_desk", str(journal), str(year), timezone, kind.value)
        async with one_at_a_time:
            with trio.move_on_after(PATIENCE_S):
                try:
                    done = await trio.run_process(words, capture_stdout=True, capture_stderr=True, check=False)
                except OSError as error:
                    raise CannotExport(f"a process must start, did not: {error.strerror}") from None
                if done.returncode:
                    raise CannotExport(done.stderr.decode(errors="replace").strip()[-300:] or "it said nothing")
                return msgspec.Raw(done.stdout)
        raise CannotExport(f"it must be done within {PATIENCE_S:.0f} s, was not: use genesis tax")

    return export


def main(words: list[str]) -> int:
    journal, year, timezone, kind = words
    os.nice(NICE)
    try:
        made = export_of(year_of(Path(journal), int(year), timezone), Kind(kind), Path(journal).stem)
    except (StoreError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.buffer.write(plain_numbers(msgspec.json.encode(made)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
