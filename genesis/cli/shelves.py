"""What lies ready: the strategies that settings may name, and the recordings that can be replayed."""

from pathlib import Path
from typing import Any

from cyclopts import App

from genesis.cli import printing
from genesis.cli.options import Reading

strategies = App(name="strategies", help="The strategies that settings may name.")
data = App(name="data", help="Recordings and other market data.")


@strategies.command(name="list")
def list_strategies(*, reading: Reading | None = None) -> None:
    """Each strategy with its parameters."""
    from genesis.domain.strategies import STRATEGY_KINDS

    kinds = sorted(STRATEGY_KINDS.values(), key=lambda kind: kind.name)
    if (reading or Reading()).json:
        printing.print_json(
            [
                {
                    "kind": kind.name,
                    "version": kind.version,
                    "parameters": [
                        {
                            "name": each.name,
                            "default": each.default,
                            "low": each.low,
                            "high": each.high,
                            "whole": each.whole,
                            "meaning": each.meaning,
                        }
                        for each in kind.parameters
                    ],
                }
                for kind in kinds
            ]
        )
        return
    printing.table(
        "strategies",
        ("strategy", "parameter", "default", "range", "meaning"),
        (
            (kind.name, each.name, f"{each.default:g}", f"{each.low:g} to {each.high:g}", each.meaning)
            for kind in kinds
            for each in kind.parameters
        ),
        right=("default",),
    )


def _row(name: str, where: str, path: Path) -> dict[str, Any]:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return {"name": name, "where": where, "path": str(path), "bytes": sum(each.stat().st_size for each in files)}


@data.command(name="list")
def list_data(*, reading: Reading | None = None) -> None:
    """Recordings that come with the engine, and what the user directory holds."""
    reading = reading or Reading()
    from genesis.simulator.recordings import DEFAULT, find, shipped_names

    rows = [
        _row(name, "shipped, the default" if name == DEFAULT else "shipped", find(name)) for name in shipped_names()
    ]
    own = reading.user_dir.data
    rows += [_row(path.name, "user directory", path) for path in (sorted(own.iterdir()) if own.is_dir() else [])]
    if reading.json:
        printing.print_json(rows)
        return
    printing.table(
        "market data",
        ("name", "where", "path", "size"),
        ((row["name"], row["where"], row["path"], f"{row['bytes'] / 1e6:.2f} MB") for row in rows),
        right=("size",),
    )
