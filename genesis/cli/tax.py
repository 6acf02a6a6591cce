"""`genesis tax`: a year's trades, disposals with their cost basis (FIFO), and the venue's ledger, as CSV."""

import sys
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from cyclopts import Parameter

from genesis.cli import printing
from genesis.cli.failures import CommandFailed
from genesis.cli.options import Reading
from genesis.run_options import ExitCode

Mode = Literal["sim", "paper", "live"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)


def tax(
    year: Annotated[int, Parameter(help="The calendar year.")],
    /,
    *,
    kind: Annotated[
        Literal["disposals", "trades", "ledger"],
        Parameter(
            help="What to list: what was given up with its cost, every trade, or the venue's ledger of the rest."
        ),
    ] = "disposals",
    out: Annotated[Path | None, Parameter(help="Write the CSV there.")] = None,
    csv: Annotated[bool, Parameter(negative="", help="Print the CSV, and nothing else.")] = False,
    mode: Annotated[Mode, Parameter(help="Whose journal.")] = "live",
    timezone: Annotated[str, Parameter(help="Where a year begins and ends.")] = "UTC",
    reading: Reading | None = None,
) -> int:
    """A year for a tax return: totals of each pair, and with `--out` or `--csv` every row.

    Trades and disposals are read from the journal of `--mode`, whether its engine runs or not; the ledger (funding,
    interest, deposits) is asked of the venue by the engine that runs.
    """
    from genesis.domain.tax_report import Kind, TaxExport
    from genesis.edge.store_errors import StoreError
    from genesis.tax_desk import export_of, year_of

    reading = reading or Reading()
    if kind == "ledger":
        from genesis.cli.client import Client

        told = Client(reading.user_dir, reading.port).get("/tax", year=year, kind=kind, timezone=timezone)
        made = msgspec.convert(told, TaxExport, strict=False)
    else:
        path = reading.user_dir.database(mode)
        if not path.exists():
            others = [name for name in MODES if reading.user_dir.database(name).exists()]
            hint = "; there is one of --mode " + " and one of --mode ".join(others) if others else ""
            raise CommandFailed(f"{path} must be the journal of {mode}, is not there{hint}", ExitCode.NOT_FOUND)
        try:
            made = export_of(year_of(path, year, timezone), Kind(kind), mode)
        except StoreError as error:
            raise CommandFailed(f"{path}: {error}", ExitCode.NOT_FOUND) from None
        except ValueError as error:
            raise CommandFailed(str(error), ExitCode.CONFIGURATION) from None
    if csv:
        sys.stdout.write(made.csv)
        return ExitCode.OK
    if out is not None:
        try:
            out.write_text(made.csv, encoding="utf-8", newline="")
        except OSError as error:
            raise CommandFailed(f"{out} must be writable, was not: {error.strerror}") from None
    _tell(made, kind, out, reading)
    return ExitCode.OK


def _tell(made: Any, kind: str, out: Path | None, reading: Reading) -> None:
    if reading.json:
        printing.print_json({name: value for name, value in msgspec.to_builtins(made).items() if name != "csv"})
        return
    if made.totals:
        printing.table(
            f"{made.year} ({made.timezone}), first in, first out",
            ("symbol", "wallet", "disposals", "proceeds", "cost", "gain", "in"),
            (
                (
                    each.symbol,
                    each.wallet,
                    each.disposals,
                    printing.number(str(each.proceeds)),
                    printing.number(str(each.cost)),
                    printing.number(str(each.gain)),
                    each.quote,
                )
                for each in made.totals
            ),
            right=("disposals", "proceeds", "cost", "gain"),
        )
    elif kind != "ledger":
        print(f"nothing was disposed of in {made.year} ({made.timezone})")
    for held in made.held:
        quantity, cost = printing.number(str(held.quantity)), printing.number(str(held.cost))
        print(f"held at the end: {quantity} of {held.symbol}, which had cost {cost} {held.quote}")
    for note, count in made.notes.items():
        print(f"{count} of them must be looked at by hand: {_NOTES[note]}")
    if made.totals:
        quotes = ", ".join(sorted({each.quote for each in made.totals}))
        print(f"not in it: a conversion, money is in each pair's own currency ({quotes})")
        print("not in it: what a fee in a third currency (LEO) gave up of that currency, which may be a disposal, too")
    print(f"{made.rows} rows of {kind}" + (f" in {out}" if out is not None else "; --out and --csv tell them"))


_NOTES = {
    "no_basis": "no trade in the journal bought what was sold, so its cost is 0 here (no_basis)",
    "fee_unpriced": "a fee in a third currency had no price, and is not in the figures (fee_unpriced)",
}
