"""What a measurement says: one figure a line for people, and as JSON for the run that gathers them."""

import os
from pathlib import Path
from typing import Final

import msgspec

GATHERED_IN: Final = "BENCH_FIGURES"
"""Names the file to which a measurement adds its figures, when a run gathers them.

What begins with GENESIS_ the engine would read as a setting."""
QUICK: Final = "BENCH_QUICK"
"""Set in a run that is to be over soon: fewer repetitions, and no peers."""


def is_quick() -> bool:
    return QUICK in os.environ


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured number. `beside` is the limit or peer of the same round, which the ratio is to."""

    name: str
    value: float
    unit: str
    beside: float | None = None
    beside_name: str = ""

    @property
    def ratio(self) -> float | None:
        return self.value / self.beside if self.beside else None


def tell(name: str, value: float, unit: str, *, beside: float | None = None, beside_name: str = "") -> None:
    figure = Figure(name=name, value=value, unit=unit, beside=beside, beside_name=beside_name)
    ratio = "" if figure.ratio is None else f"{figure.ratio:8.2f} x {beside_name} ({beside:,.4g})"
    print(f"{name:44}{value:14,.4g} {unit:18}{ratio}", flush=True)
    path = os.environ.get(GATHERED_IN)
    if path:
        with Path(path).open("ab") as file:
            file.write(msgspec.json.encode(figure) + b"\n")


def told(path: Path) -> list[Figure]:
    decode = msgspec.json.Decoder(Figure).decode
    return [decode(line) for line in path.read_bytes().splitlines()] if path.exists() else []
