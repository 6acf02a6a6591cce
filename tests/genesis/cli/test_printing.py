"""Numbers are printed as people read them, and never wrongly."""

from decimal import Decimal

import pytest

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
