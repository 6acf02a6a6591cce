"""Whoever has heard the same messages holds the same values, in whatever order and however often they came."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.config_bus import (
    AHEAD_MS,
    BusMessage,
    BusState,
    Stamp,
    Value,
    local_changes,
    newer,
    opened,
    seal,
    shareable,
    wishes,
)

SECRET = b"a shared secret of engines"
PATHS = ("risk.max_open_positions", "risk.cooldown_s", "market.ticker_stale_s")
NOW = 1_000_000

stamps = st.builds(Stamp, ms=st.integers(1, 50), by=st.sampled_from(["a", "b", "c"]))


def value_of(stamp: Stamp, path: str) -> Value:
    """One engine sets one value at one moment: a stamp names it."""
    return Value(stamp=stamp, value=f"{stamp.by}{stamp.ms}{path}", cleared=stamp.ms % 5 == 0)


messages = st.lists(
    st.dictionaries(st.sampled_from(PATHS), stamps, max_size=3).map(
        lambda changes: BusMessage(
            instance="x", sent_ms=1, changes={path: value_of(stamp, path) for path, stamp in changes.items()}
        )
    ),
    max_size=12,
)


@given(messages, st.randoms(use_true_random=False))
def test_all_orders_of_hearing_end_in_the_same_values(said: list[BusMessage], chance: Any) -> None:
    one, two = BusState(instance="one"), BusState(instance="two")
    again = [*said, *said[::2]]
    chance.shuffle(again)
    for message in said:
        newer(one, message)
    for message in again:
        newer(two, message)
    assert one.values == two.values
    for message in said:
        assert newer(two, message) == [], "what was heard before is not news"


@given(messages)
def test_after_wishing_there_is_nothing_left_to_wish_or_to_tell(said: list[BusMessage]) -> None:
    state, runtime = BusState(instance="one"), dict[str, Any]()
    for message in said:
        paths = newer(state, message)
        changes, cleared = wishes(state, paths, runtime)
        runtime = {path: value for path, value in (runtime | changes).items() if path not in cleared}
        state.seen = dict(runtime)
    assert wishes(state, state.values, runtime) == ({}, ())
    assert local_changes(state, runtime, now_ms=NOW, first=False) == {}


@given(
    st.lists(st.dictionaries(st.sampled_from([*PATHS, "web.port"]), st.integers(0, 3)), max_size=6), st.integers(1, 9)
)
def test_what_is_set_here_is_told_once_with_rising_stamps(steps: list[dict[str, int]], clock: int) -> None:
    state, last = BusState(instance="one"), 0
    for runtime in steps:
        # A clock that stands still or runs backwards must not make an older stamp.
        told = local_changes(state, runtime, now_ms=clock, first=False)
        assert local_changes(state, runtime, now_ms=clock, first=False) == {}
        assert "web.port" not in told
        for value in told.values():
            assert value.stamp.ms > last
        last = max([last, *(value.stamp.ms for value in told.values())])


def test_a_message_opens_with_its_secret_alone_and_never_from_the_far_future() -> None:
    message = BusMessage(
        instance="a",
        sent_ms=NOW,
        changes={PATHS[0]: Value(stamp=Stamp(ms=NOW, by="a"), value=3)},
    )
    text, mac = seal(message, SECRET)
    assert opened(text, mac, SECRET, now_ms=NOW) == message
    assert opened(text, mac, b"another secret of engines", now_ms=NOW) is None
    assert opened(text + b" ", mac, SECRET, now_ms=NOW) is None
    assert opened(text, mac, SECRET, now_ms=NOW - AHEAD_MS - 1) is None
    for wrong in (b"", b"[]", b'{"instance":1}', b"[" * 60_000, b"\xff", b'{"instance":"a","sent_ms":1,"lift":true}'):
        forged = seal_of(wrong)
        assert opened(wrong, forged, SECRET, now_ms=NOW) is None


def seal_of(text: bytes) -> bytes:
    import hashlib
    import hmac

    return hmac.new(SECRET, text, hashlib.sha256).hexdigest().encode()


def test_the_wire_has_no_word_that_could_lift_a_halt() -> None:
    fields = {field.name for field in msgspec.structs.fields(BusMessage)}
    assert fields == {"instance", "sent_ms", "changes", "author", "reason", "halt"}


@pytest.mark.parametrize(
    "path", ["web.port", "venue.public_ws_uri", "logs.level", "strategies", "orders.group_id", "x"]
)
def test_what_is_each_engines_own_is_not_shared(path: str) -> None:
    assert not shareable(path)
