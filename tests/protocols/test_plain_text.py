"""Exact numbers are read by all who read an answer: written with digits and a point."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.cli.printing import plain_json
from protocols.orders import UpdateIntent
from protocols.plain_text import plain_numbers, plain_text
from web.app import _encode as answered
from web.hub import encode_message

numbers = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12)


@given(st.lists(numbers | st.integers() | st.floats(allow_nan=False) | st.text() | st.none()))
def test_numbers_stay_what_they_are_and_texts_what_they_say(values: list[object]) -> None:
    told = msgspec.json.decode(plain_numbers(msgspec.json.encode(values)))
    for value, read in zip(values, told, strict=True):
        if isinstance(value, Decimal):
            assert Decimal(read) == value
            assert "E" not in read
        elif isinstance(value, str) and plain_text(value) != value:
            # A text that is nothing but such a number is that number.
            assert Decimal(read) == Decimal(value)
        else:
            assert read == value


@pytest.mark.parametrize("text", ["a 1E-8", '"1E-8"', '\\"1E-8"', "1E-8\\", "x1E-8", "1E-8 ", "1.E-8", "E-8", "1e-8"])
def test_other_texts_are_left_alone(text: str) -> None:
    assert msgspec.json.decode(plain_numbers(msgspec.json.encode([text, {text: text}]))) == [text, {text: text}]


def test_what_commands_print_and_what_streams_tell_has_no_exponent() -> None:
    small = Decimal("0.00000001")
    wish = UpdateIntent(intent_id="i", price=small, quantity=None, reason="", correlation_id="")
    assert plain_json({"fee": small, "all": ["1E-8"]}) == '{"fee":"0.00000001","all":["0.00000001"]}'
    assert b'"price":"0.00000001"' in encode_message("orders", "update", 1, wish)
    assert b'"price":"0.00000001"' in answered([wish])
    assert plain_text(small) == plain_text("1E-8") == "0.00000001"
    assert plain_text("tBTCUSD") == "tBTCUSD"
    assert plain_text(Decimal("NaN")) == "NaN"
