"""`genesis data`: what there is, bringing more in, looking it over, putting minutes together."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import App, Parameter

from genesis.cli import printing
from genesis.cli.examples import epilogue
from genesis.cli.failures import CommandFailed
from genesis.cli.options import Reading
from genesis.cli.progress import Bar
from genesis.run_options import ExitCode

if TYPE_CHECKING:
    from genesis.edge.bar_files import BarFiles
    from genesis.research.downloading import Downloaded

data = App(
    name="data",
    help_epilogue=epilogue("data"),
    help_format="markdown",
    help="Market data: list, import, download, check, resample.",
)
PUBLIC_REST: Final = "https://api-pub.bitfinex.com"
PairName = Annotated[str, Parameter(help="A pair and a time frame, as tBTCUSD:1m; tBTCUSD:trades means its trades.")]


def _files(reading: Reading) -> "BarFiles":
    from genesis.edge.bar_files import BarFiles

    return BarFiles(reading.user_dir.data)


def _pair(text: str) -> tuple[str, str]:
    from genesis.edge.bar_files import TRADES
    from protocols.bitfinex.symbols import is_trading_symbol
    from protocols.units import TIMEFRAME_MS

    symbol, _, timeframe = text.rpartition(":")
    if not is_trading_symbol(symbol) or (timeframe != TRADES and timeframe not in TIMEFRAME_MS):
        known = f"{', '.join(TIMEFRAME_MS)} or {TRADES}"
        raise CommandFailed(
            f"must be a pair and a time frame as tBTCUSD:1m ({known}), was {text}", ExitCode.CONFIGURATION
        )
    return symbol, timeframe


def _row(name: str, where: str, path: Path) -> dict[str, Any]:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return {"name": name, "where": where, "path": str(path), "bytes": sum(each.stat().st_size for each in files)}


def _shipped(name: str, where: str) -> dict[str, Any]:
    """With what is replayed of it. Of recorded frames that is not told: they must all be read to be dated."""
    from genesis.domain.recording import CandleRecording, RecordingError
    from genesis.simulator.recordings import find, load

    row = _row(name, where, find(name))
    try:
        recording = load(name)
    except RecordingError as error:
        return row | {"damaged": str(error)}
    if isinstance(recording, CandleRecording):
        rows = sum(map(len, recording.rows.values()))
        row |= {"first_ms": recording.first_ms, "last_ms": recording.last_ms, "rows": rows}
    return row


@data.command(name="list")
def list_data(*, reading: Reading | None = None) -> None:
    """Recordings that come with the engine, and what the user directory's data store holds."""
    reading = reading or Reading()
    from genesis.edge.bar_files import DataUnusable
    from genesis.simulator.recordings import DEFAULT, shipped_names

    rows = [_shipped(name, "shipped, the default" if name == DEFAULT else "shipped") for name in shipped_names()]
    files = _files(reading)
    for series in files.series():
        row: dict[str, Any] = {
            "name": f"{series.symbol}:{series.timeframe}",
            "where": "data store",
            "path": str(files.folder(series.symbol, series.timeframe)),
            "bytes": series.bytes,
            "months": list(series.months),
        }
        try:
            span = files.span(series.symbol, series.timeframe)
        except DataUnusable as error:
            row["damaged"] = str(error)
            span = None
        if span is not None:
            row |= {"first_ms": span[0], "last_ms": span[1], "rows": span[2]}
        rows.append(row)
    if reading.json:
        printing.print_json(rows)
        return
    printing.table(
        "market data",
        ("name", "where", "from", "to", "rows", "size"),
        (
            (
                row["name"],
                row.get("damaged", row["where"]),
                printing.when(row.get("first_ms")),
                printing.when(row.get("last_ms")),
                row.get("rows", ""),
                f"{row['bytes'] / 1e6:.2f} MB",
            )
            for row in rows
        ),
        right=("rows", "size"),
    )


@data.command(name="import")
def import_data(
    *paths: Annotated[Path, Parameter(help="CSV (also .gz) or Parquet files.")],
    into: Annotated[
        str | None, Parameter(name="--as", help="What it is, as tBTCUSD:1m; told by the name else.")
    ] = None,
    repair: Annotated[
        bool, Parameter(negative="", help="Sort, drop doubles, leave out what no market can have done.")
    ] = False,
    reading: Reading | None = None,
) -> None:
    """Put files into the data store: time, open, close, high, low, volume; of trades id, time, amount, price."""
    reading = reading or Reading()
    from genesis.edge.bar_files import DataUnusable
    from genesis.research.importing import guess, import_file

    if not paths:
        raise CommandFailed("a file must be named, was none", ExitCode.CONFIGURATION)
    files = _files(reading)
    wanted = []
    for path in paths:
        found = _pair(into) if into is not None else guess(path)
        if found is None:
            raise CommandFailed(
                f"{path}: its name does not say what it is; add --as tBTCUSD:1m", ExitCode.CONFIGURATION
            )
        wanted.append((path, *found))
    told = []
    for path, symbol, timeframe in wanted:
        try:
            done = import_file(path, files, symbol, timeframe, repair=repair)
        except DataUnusable as error:
            raise CommandFailed(str(error)) from None
        told.append(done)
        if not reading.json:
            mended = "".join(f", {count} {name}" for name, count in done.repairs.items())
            print(
                f"{path.name}: {done.rows} rows into {symbol}:{timeframe}, {printing.when(done.first_ms)} to "
                f"{printing.when(done.last_ms)}: {done.written.added} new, {done.written.changed} changed, "
                f"{done.written.same} there already{mended and '; mended' + mended[1:]}"
            )
    if reading.json:
        import attrs

        printing.print_json([attrs.asdict(one) for one in told])


@data.command
def check(
    *pairs: PairName,
    reading: Reading | None = None,
) -> int:
    """Gaps, doubles, spikes and impossible bars, of the pairs named or of all. Exit code 1 when any is unusable."""
    reading = reading or Reading()
    import msgspec

    from genesis.domain.bars import FAULTS, check_bars
    from genesis.edge.bar_files import TRADES, DataUnusable
    from protocols.units import TIMEFRAME_MS

    files = _files(reading)
    chosen = [_pair(pair) for pair in pairs] or [
        (one.symbol, one.timeframe) for one in files.series() if one.timeframe != TRADES
    ]
    answers: list[dict[str, Any]] = []
    for symbol, timeframe in chosen:
        if timeframe == TRADES:
            raise CommandFailed("trades have no gaps to look for; check their bars", ExitCode.CONFIGURATION)
        try:
            table = files.read(symbol, timeframe)
        except DataUnusable as error:
            raise CommandFailed(str(error)) from None
        if not len(table):
            raise CommandFailed(f"{symbol}:{timeframe} must be in the data store, was not", ExitCode.NOT_FOUND)
        found = check_bars(table, TIMEFRAME_MS[timeframe])
        answers.append({"name": f"{symbol}:{timeframe}", "usable": found.usable, **msgspec.to_builtins(found)})
        if reading.json:
            continue
        share = found.missing / (found.bars + found.missing)
        printing.pairs(
            [
                ("series", f"{symbol}:{timeframe}"),
                ("from", printing.when(found.first_ms)),
                ("to", printing.when(found.last_ms)),
                ("bars", f"{found.bars}, missing {found.missing} ({share:.2%}), without a move {found.still}"),
                ("longest gaps", _list((printing.when(gap.from_ms), f"{gap.bars} bars") for gap in found.gaps[:5])),
                (
                    "spikes",
                    f"{found.spikes} "
                    + _list((printing.when(one.at_ms), f"{one.size:+.1%}") for one in found.largest_spikes[:5]),
                ),
                (
                    "largest move",
                    ""
                    if found.largest_move is None
                    else f"{found.largest_move.size:+.1%} at {printing.when(found.largest_move.at_ms)}",
                ),
                ("faults", "none" if found.usable else ", ".join(f"{n} {FAULTS[k]}" for k, n in found.faults.items())),
            ]
        )
    if reading.json:
        printing.print_json(answers)
    elif not answers:
        print("the data store is empty; `genesis data import` and `genesis data download` fill it")
    return ExitCode.OK if all(answer["usable"] for answer in answers) else ExitCode.ERROR


def _list(pairs: Any) -> str:
    return ", ".join(f"{when} ({what})" for when, what in pairs)


@data.command
def resample(
    pair: PairName,
    to: Annotated[str, Parameter(name="--to", help="The coarser time frame, as 1h.")],
    /,
    *,
    reading: Reading | None = None,
) -> None:
    """Make coarser bars of finer ones, or bars of trades, and keep them beside."""
    reading = reading or Reading()
    from genesis.domain.bars import resampled
    from genesis.edge.bar_files import TRADES, DataUnusable
    from genesis.research.importing import bars_of_trades
    from protocols.units import TIMEFRAME_MS

    symbol, timeframe = _pair(pair)
    if to not in TIMEFRAME_MS:
        raise CommandFailed(f"must be one of {', '.join(TIMEFRAME_MS)}, was {to}", ExitCode.CONFIGURATION)
    files = _files(reading)
    try:
        table = files.read(symbol, timeframe)
        if not len(table):
            raise CommandFailed(f"{pair} must be in the data store, was not", ExitCode.NOT_FOUND)
        step_ms = TIMEFRAME_MS[to]
        if timeframe != TRADES and step_ms % TIMEFRAME_MS[timeframe]:
            raise CommandFailed(f"{to} must be a multiple of {timeframe}, was not", ExitCode.CONFIGURATION)
        made = bars_of_trades(table, step_ms) if timeframe == TRADES else resampled(table, step_ms)
        written = files.write(symbol, to, made)
    except DataUnusable as error:
        raise CommandFailed(str(error)) from None
    answer = {"name": f"{symbol}:{to}", "rows": len(made), "added": written.added, "changed": written.changed}
    if reading.json:
        printing.print_json(answer)
    else:
        print(f"{symbol}:{to}: {len(made)} bars, {written.added} new, {written.changed} changed")


@data.command
def download(
    *pairs: PairName,
    start: Annotated[str, Parameter(name="--from", help="The first day, as 2024-01-01.")],
    end: Annotated[str | None, Parameter(name="--to", help="The day it ends before; now, when not given.")] = None,
    url: Annotated[str, Parameter(help="Whose REST is asked.")] = PUBLIC_REST,
    anew: Annotated[bool, Parameter(negative="", help="Ask for everything again.")] = False,
    reading: Reading | None = None,
) -> int:
    """Fetch candles or trades from Bitfinex. It goes on where it stopped; Ctrl-C keeps what is there."""
    reading = reading or Reading()
    import attrs
    import trio

    from genesis.edge.bar_files import DataUnusable
    from genesis.edge.errors import EdgeError
    from genesis.job_desk import moment
    from protocols.bitfinex.errors import BitfinexError

    if not pairs:
        raise CommandFailed("a pair must be named, as tBTCUSD:1m, was none", ExitCode.CONFIGURATION)
    chosen = [_pair(pair) for pair in pairs]
    now_ms = int(time.time() * 1000)
    try:
        start_ms, end_ms = moment(start), now_ms if end is None else moment(end)
    except ValueError as error:
        raise CommandFailed(str(error), ExitCode.CONFIGURATION) from None
    if end_ms <= start_ms:
        raise CommandFailed(f"--to must be after --from, was {end} and {start}", ExitCode.CONFIGURATION)
    told: list[Downloaded] = []
    try:
        with Bar("download", hidden=reading.json) as bar:
            trio.run(_download, reading, chosen, start_ms, end_ms, now_ms, url, anew, bar.update, told)
    except (EdgeError, BitfinexError) as error:
        raise CommandFailed(f"{url}: {error}; what came is kept, the same command goes on") from None
    except (DataUnusable, OSError) as error:
        raise CommandFailed(str(error)) from None
    except KeyboardInterrupt:
        print("stopped; what came is kept, the same command goes on")
        return 130
    if reading.json:
        printing.print_json([attrs.asdict(one) for one in told])
    for one in told if not reading.json else ():
        print(
            f"{one.symbol}:{one.timeframe}: {one.rows} rows in {one.requests} requests, {one.written.added} new, "
            f"{one.written.changed} changed"
        )
    return ExitCode.OK


async def _download(
    reading: Reading,
    chosen: list[tuple[str, str]],
    start_ms: int,
    end_ms: int,
    now_ms: int,
    url: str,
    anew: bool,
    on_progress: Callable[[float, str], None],
    told: "list[Downloaded]",
) -> None:
    from genesis.core.chance import Chance, fresh_seed
    from genesis.core.clock import TrioClock
    from genesis.domain.rest_budget import RestBudget
    from genesis.edge.http import HttpClient
    from genesis.edge.rest import RestDoor
    from genesis.research.downloading import download as fetch

    async with HttpClient(url) as http:
        door = RestDoor(
            public=http,
            private=http,
            budget=RestBudget(),
            clock=TrioClock(),
            chance=Chance(fresh_seed()).port("rest"),
        )
        for symbol, timeframe in chosen:
            told.append(
                await fetch(
                    door,
                    _files(reading),
                    symbol,
                    timeframe,
                    start_ms,
                    end_ms,
                    now_ms=now_ms,
                    on_progress=on_progress,
                    anew=anew,
                )
            )
