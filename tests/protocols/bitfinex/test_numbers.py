"""Number text is the venue's: the checksum is computed over it."""

import json
import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.bitfinex.errors import LocalProtocolError, MalformedFrame
from protocols.bitfinex.numbers import js_number, js_numbers, read_json, read_json_floats, wire_decimal, write_json


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (7617.0, "7617"),
        (7617.1, "7617.1"),
        (0.0, "0"),
        (-0.0, "0"),
        (-31, "-31"),
        (0.000001, "0.000001"),
        (0.0000011, "0.0000011"),
        (7e-7, "7e-7"),
        (1.1e-7, "1.1e-7"),
        (-6.6e-7, "-6.6e-7"),
        (0.00012345, "0.00012345"),
        (0.00001, "0.00001"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.5e21, "1.5e+21"),
        (123456789012345680000.0, "123456789012345680000"),
        (10**21, "1e+21"),
        (52631.10296831, "52631.10296831"),
        (Decimal("0.00000070"), "7e-7"),
        (Decimal("1E+3"), "1000"),
        (Decimal("-0.00"), "0"),
        (Decimal("2.50"), "2.5"),
        (Decimal("0.053312790000000006"), "0.053312790000000006"),
    ],
)
def test_numbers_print_as_javascript_prints_them(number: Decimal | float | int, text: str) -> None:
    assert js_number(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_float_reads_back_as_the_same_float(number: float) -> None:
    assert float(js_number(number)) == number


@given(
    st.lists(
        st.floats(allow_nan=False, allow_infinity=False)
        | st.floats(-1e6, 1e6).map(lambda number: round(number, 2))
        | st.sampled_from((0.0, -0.0, 10.0, -10.05, 1e-4, 9.9e-5, 1e16, 1e21))
    )
)
def test_several_floats_have_the_texts_that_each_has(numbers: list[float]) -> None:
    assert js_numbers(numbers) == ",".join(map(js_number, numbers))


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_none_of_several_may_be_what_json_has_no_number_for(number: float) -> None:
    with pytest.raises(LocalProtocolError):
        js_numbers([1.0, number])


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=8))
def test_the_text_of_a_decimal_reads_back_as_the_same_decimal(number: Decimal) -> None:
    assert wire_decimal(js_number(number)) == number
    assert "E" not in js_number(number)


@given(st.floats(min_value=1e-12, max_value=1e25))
def test_a_float_and_its_decimal_have_the_same_text(number: float) -> None:
    assert js_number(number) == js_number(Decimal(repr(number)))


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan, Decimal("NaN"), Decimal("Infinity")])
def test_what_json_has_no_number_for_is_refused(number: Decimal | float) -> None:
    with pytest.raises(LocalProtocolError, match="must be finite"):
        js_number(number)


def test_fractions_become_decimals_of_their_own_text() -> None:
    assert read_json(b"[0.1,7e-7,5,1.10]") == [Decimal("0.1"), Decimal("7e-7"), 5, Decimal("1.10")]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[1,2",
        b"nope",
        b"[NaN]",
        b'"\xff"',
        b"[" * 100_000,
        b"[1e999999999999999999999]",
        b"[1.0e999]",
        b"9" * 5000,
        b"\x00",
    ],
)
def test_what_is_no_json_is_one_kind_of_error(data: bytes) -> None:
    for read in (read_json, read_json_floats):
        with pytest.raises(MalformedFrame) as caught:
            read(data)
        assert len(caught.value.excerpt) <= 200


def test_a_number_no_market_has_is_refused_before_it_fills_the_memory() -> None:
    with pytest.raises(MalformedFrame, match="at most 40 digits"):
        read_json(b"[1e999999]")
    with pytest.raises(MalformedFrame):
        read_json(b"[0." + b"1" * 200 + b"]")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.floats(-1e15, 1e15),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_what_we_write_is_json_of_the_same_value(value: object) -> None:
    assert json.loads(write_json(value)) == value


def test_written_json_is_compact_and_verbatim() -> None:
    assert write_json([0, "on", None, {"a": Decimal("0.10"), "b": [True, 7617.0]}]) == (
        b'[0,"on",null,{"a":0.1,"b":[true,7617]}]'
    )


def test_what_has_no_json_form_is_our_own_fault() -> None:
    with pytest.raises(LocalProtocolError, match="must have a JSON form, was set"):
        write_json({"a": {1, 2}})
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(LocalProtocolError, match="nested this deeply"):
        write_json(deep)
