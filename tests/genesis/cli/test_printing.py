"""Numbers are printed as people read them, and never wrongly."""

import io
from decimal import Decimal

import pytest
from rich.console import Console

from genesis.cli import printing
from genesis.cli.printing import money, number


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("7979.959919839679358717434870", "7979.95991984"),
        ("8177.10000000", "8177.1"),
        ("0.30383430", "0.3038343"),
        ("100", "100"),
        ("0E-8", "0"),
        ("-0.000000001", "0"),
        ("1E+3", "1000"),
        (Decimal("-0.00060969"), "-0.00060969"),
        ("NaN", "NaN"),
        (None, ""),
    ],
)
def test_a_number_has_eight_places_at_most_and_no_zeros_behind(given: object, shown: str) -> None:
    assert number(given) == shown


@pytest.mark.parametrize(("given", "shown"), [("10018.2095531800053189", "10,018.21"), ("0", "0.00"), (None, "")])
def test_money_is_told_to_the_cent(given: object, shown: str) -> None:
    assert money(given) == shown


COLUMNS = ("time", "symbol", "quantity", "price", "reason")
ROWS = [
    ("2018-02-05 07:00:00", "tETHUSD", "2.99847371", "831.28", "EXECUTED @ 831.28(-3)"),
    ("2018-02-05 06:55:00", "tBTCUSD", "0.30322663", "", "the venue said something of forty letters"),
]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 240])
def test_no_number_is_broken_over_two_lines_of_a_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """At 80 columns 8165.1 stood as 8165 with .1 below it."""
    out = io.StringIO()
    monkeypatch.setattr(
        printing, "_console", lambda: Console(width=width, file=out, force_terminal=True, color_system=None)
    )
    printing.table("orders", COLUMNS, ROWS, right=("quantity", "price"))
    told = out.getvalue()
    assert max(map(len, told.splitlines())) <= width
    for row in ROWS:
        for cell in row[:4]:
            assert cell in told
    assert ("┃" in told) == (width >= 80), "as a table where there is room for one"
