"""Whatever a peer says, the answer is an event, a message, or a typed error: never another exception."""

import json

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.bitfinex.account_session import AccountSession
from protocols.bitfinex.auth import read_auth_event
from protocols.bitfinex.errors import RemoteProtocolError
from protocols.bitfinex.events import FLAG_CHECKSUM, FLAG_SEQ_ALL, FLAG_TIMESTAMP, FrameRefused
from protocols.bitfinex.inputs import decode_input
from protocols.bitfinex.rest import read_answer
from protocols.bitfinex.rest_account import read_orders, read_write_answer
from protocols.bitfinex.session import PublicSession
from protocols.bitfinex.subscriptions import SubscribeRefused, read_subscription
from tests.recordings import ws_data, ws_lines

numbers = st.integers(-5, 20) | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
texts = st.sampled_from(["hb", "te", "tu", "cs", "n", "os", "on", "wu", "ws", "fiu", "", "x", "tBTCUSD", "NaN", "1"])
values = st.recursive(
    st.none() | st.booleans() | numbers | texts | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=30,
)
rows = st.lists(numbers | st.none() | texts, max_size=34)
frames = (
    st.tuples(st.integers(0, 6), rows | st.lists(rows, max_size=3)).map(list)
    | st.tuples(st.integers(0, 6), texts, rows | st.lists(rows, max_size=3), numbers, numbers).map(list)
    | values
)
keys = st.sampled_from(
    ["event", "channel", "symbol", "key", "chanId", "code", "msg", "flags", "status", "subId", "prec", "len", "version"]
)
events = st.dictionaries(keys, values | texts, max_size=6).map(
    lambda event: {"event": "subscribed", **event} if len(event) % 2 else event
)


def public_session(flags: int) -> PublicSession:
    session = PublicSession(session=1)
    session.receive_many(
        [
            json.dumps({"event": "conf", "status": "OK", "flags": flags}),
            '{"event":"subscribed","channel":"ticker","chanId":1,"symbol":"tBTCUSD"}',
            '{"event":"subscribed","channel":"trades","chanId":2,"symbol":"tBTCUSD"}',
            '{"event":"subscribed","channel":"book","chanId":3,"symbol":"tBTCUSD"}',
            '{"event":"subscribed","channel":"book","chanId":4,"symbol":"tBTCUSD","prec":"R0"}',
            '{"event":"subscribed","channel":"candles","chanId":5,"key":"trade:1m:tBTCUSD"}',
            '{"event":"subscribed","channel":"book","chanId":6,"symbol":"fUSD"}',
        ],
        1,
    )
    return session


flag_sets = st.sampled_from([0, FLAG_SEQ_ALL, FLAG_SEQ_ALL | FLAG_TIMESTAMP | FLAG_CHECKSUM])


@settings(max_examples=200, deadline=None)
@given(flag_sets, st.lists(frames | events, max_size=8))
def test_a_public_session_survives_any_frames(flags: int, told: list[object]) -> None:
    session = public_session(flags)
    for frame in told:
        for event in session.receive(json.dumps(frame), 2):
            if not isinstance(event, FrameRefused):
                msgspec.json.encode(event)


@settings(max_examples=150, deadline=None)
@given(flag_sets, st.lists(frames | events, max_size=8))
def test_an_account_session_survives_any_frames(flags: int, told: list[object]) -> None:
    session = AccountSession(session=1, api_key="k", api_secret="s")
    session.receive(json.dumps({"event": "conf", "status": "OK", "flags": flags}), 1)
    for frame in told:
        for event in session.receive(json.dumps(frame), 2):
            if not isinstance(event, FrameRefused):
                msgspec.json.encode(event)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60) | frames.map(lambda frame: json.dumps(frame).encode()))
def test_bytes_of_any_kind_are_refused_or_read(data: bytes) -> None:
    public_session(0).receive(data, 1)
    for read in (decode_input, lambda told: read_answer(200, told, exact=True)):
        try:
            read(data)
        except RemoteProtocolError:
            continue


inputs = st.tuples(
    st.just(0),
    st.sampled_from(["on", "ou", "oc", "oc_multi", "ox_multi", "calc", "fon", "foc", "n"]),
    st.none() | values,
    st.dictionaries(
        st.sampled_from(["cid", "gid", "id", "type", "symbol", "amount", "price", "flags", "tif", "cid_date", "meta"]),
        values | st.sampled_from(["EXCHANGE LIMIT", "tBTCUSD", "0.1", "2026-01-31", 16384]),
    )
    | values,
).map(list)


@settings(max_examples=200, deadline=None)
@given(inputs | events)
def test_a_server_survives_any_client(told: object) -> None:
    try:
        if isinstance(told, dict):
            read_auth_event(told)
            read_subscription(told)
        else:
            decode_input(json.dumps(told))
    except (RemoteProtocolError, SubscribeRefused):
        pass


@settings(max_examples=150, deadline=None)
@given(values | st.lists(rows, max_size=3))
def test_rest_rows_of_any_kind_are_refused_or_read(told: object) -> None:
    for read in (read_orders, read_write_answer):
        try:
            msgspec.json.encode(read(told, session=1, received_ns=1))
        except RemoteProtocolError:
            continue


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_recorded_session_survives_harm_to_one_frame(data: st.DataObject) -> None:
    told = list(ws_data("public-thin-pairs-2021-04-17.jsonl.gz")[:120])
    victim = data.draw(st.integers(0, len(told) - 1))
    frame = bytearray(told[victim])
    for _ in range(data.draw(st.integers(1, 3))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    told[victim] = bytes(frame)
    session = PublicSession(session=1)
    session.receive_many(told, 1)
    assert session.tolerance.frames == len(told)
    assert session.tolerance.refused <= 1


def test_frames_may_come_as_text_too() -> None:
    lines = ws_lines("checksum-tXRPBTC-P0.frames.jsonl")
    session = PublicSession(session=1)
    events = session.receive_many([line.decode() for line in lines], 1)
    assert not [event for event in events if isinstance(event, FrameRefused)]
    assert next(iter(session.table.streams.values())).checksums_right == 1
