"""Whatever a client says, the exchange answers or is silent; it never breaks."""

import json
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.core.clock import TrioClock
from genesis.simulator.exchange import Exchange
from genesis.simulator.session import Session
from genesis.simulator.settings import demo_settings
from protocols.bitfinex.auth import auth_event

EXCHANGE = Exchange(demo_settings(), ["tBTCUSD", "tETHUSD"], TrioClock(), random.Random(1))
EXCHANGE.time_ms = 1_517_788_800_000

WORDS = (
    "subscribe unsubscribe auth unauth conf ping ticker trades book candles status tBTCUSD tNOPE fUSD P0 R0 F1 25 on "
    "ou oc oc_multi ox_multi calc fon foc n MARKET ucm-x margin_base position_tBTCUSD wallet_exchange_USD 2018-02-05 "
    "0.1 -1 1e999 trade:1m:tBTCUSD"
)
words = st.sampled_from([*WORDS.split(), "EXCHANGE LIMIT"])
names = st.sampled_from(
    "event channel symbol key prec freq len chanId flags cid subId apiKey authSig authNonce authPayload dms filter id "
    "type amount price price_trailing price_aux_limit price_oco_stop gid tif lev meta all cid_date delta rate period "
    "info token".split()
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6),
    max_leaves=12,
)
events = st.dictionaries(names, values, max_size=6).map(lambda event: {"event": "subscribe"} | event)
inputs = st.tuples(st.just(0), words, st.none() | st.integers(), values | st.dictionaries(names, values, max_size=8))


def a_session(*, authenticated: bool) -> Session:
    session = Session(EXCHANGE, number=1)
    EXCHANGE.accounts.nonces.clear()
    if authenticated:
        session.receive(auth_event("alice-key", "alice-secret", 1).decode())
        assert session.key is not None
    session.outgoing.clear()
    return session


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(events, values, inputs), max_size=6), st.booleans())
def test_every_message_is_answered_with_json_or_not_at_all(messages: list[Any], authenticated: bool) -> None:
    session = a_session(authenticated=authenticated)
    for message in messages:
        session.receive(json.dumps(message))
    for frame in session.outgoing:
        assert isinstance(json.loads(frame), dict | list)
    EXCHANGE.close_session(session)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=100).map(lambda data: data.decode("latin-1")))
def test_text_that_is_no_json_gets_no_answer(text: str) -> None:
    session = a_session(authenticated=True)
    session.receive(text)
    assert all(isinstance(json.loads(frame), dict | list) for frame in session.outgoing)
    EXCHANGE.close_session(session)


def test_deep_nesting_is_no_trouble() -> None:
    session = a_session(authenticated=True)
    for text in ("[" * 5_000, '{"a":' * 5_000, "[" * 5_000 + "]" * 5_000, "9" * 10_000, '[0,"on",null,{"cid":1e400}]'):
        session.receive(text)
    EXCHANGE.close_session(session)
