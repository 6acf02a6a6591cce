"""An account session's phases: nothing is ordered before the snapshots, for another session, or in maintenance."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from protocols.bitfinex.account_session import DEFAULT_FLAGS, AccountPhase, AccountSession
from protocols.bitfinex.errors import LocalProtocolError
from protocols.bitfinex.events import (
    FLAG_SEQ_ALL,
    FLAG_TIMESTAMP,
    AuthAccepted,
    AuthLost,
    AuthRefused,
    ConfAccepted,
    ConfRefused,
    FrameRefused,
    MaintenanceEnded,
    MaintenanceStarted,
    Pong,
    SequenceGap,
    ServerError,
    ServerStopping,
    auth_accepted_event,
    auth_refused_event,
    conf_answer,
    info_event,
    notice_event,
    pong_event,
)
from protocols.bitfinex.inputs import encode_command, write_ahead
from protocols.bitfinex.sequence import FrameNumbers
from protocols.orders import CancelOrder, OrderSnapshot, SessionUp, SubmitOrder, VenueWallet
from protocols.units import Symbol
from tests.recordings import ws_lines

ACCEPTED = auth_accepted_event(
    user_id=5, auth_id="a", caps={"orders": {"read": 1, "write": 1}, "withdraw": {"read": 0, "write": 0}}
)
SNAPSHOTS = (b'[0,"ps",[]]', b'[0,"ws",[]]', b'[0,"os",[]]')
SUBMIT = SubmitOrder(
    cid=7,
    cid_date="2026-01-31",
    group_id=0,
    symbol=Symbol("tBTCUSD"),
    wire_type="EXCHANGE MARKET",
    amount=Decimal(1),
    price=None,
    aux_limit_price=None,
    trailing_distance=None,
    oco_stop_price=None,
    flags=0,
    session=3,
    correlation_id="c",
    received_ns=0,
)


def session(**changes: Any) -> AccountSession:
    return AccountSession(session=3, api_key="key", api_secret="the-secret", **changes)


def ready() -> AccountSession:
    one = session()
    one.receive(info_event(server_id="s"), 1)
    one.send_auth(1)
    one.receive_many([ACCEPTED, *SNAPSHOTS], 2)
    return one


def test_a_login_goes_through_its_phases() -> None:
    one = session(dead_man_switch=True)
    phases = [one.phase]
    one.receive(info_event(server_id="s"), 1)
    phases.append(one.phase)
    assert json.loads(one.send_conf()) == {"event": "conf", "flags": DEFAULT_FLAGS}
    auth = json.loads(one.send_auth(17))
    assert (auth["apiKey"], auth["authNonce"], auth["dms"]) == ("key", 17, 4)
    phases.append(one.phase)
    assert one.receive(conf_answer(DEFAULT_FLAGS), 2) == [ConfAccepted(flags=DEFAULT_FLAGS)]
    (accepted,) = one.receive(ACCEPTED, 3)
    assert accepted == AuthAccepted(
        user_id=5, auth_id="a", permissions={"orders": (True, True), "withdraw": (False, False)}
    )
    phases.append(one.phase)
    numbers = FrameNumbers(flags=DEFAULT_FLAGS)
    events: list[object] = []
    for frame in SNAPSHOTS:
        kind = json.loads(frame)[1]
        told = [*json.loads(frame), *numbers.of_account(kind, 1_700_000_000_000, snapshot=True)]
        events += one.receive(json.dumps(told), 4)
    phases.append(one.phase)
    assert [type(event).__name__ for event in events] == [
        "PositionSnapshot",
        "WalletSnapshot",
        "OrderSnapshot",
        "SessionUp",
    ]
    assert events[-1] == SessionUp(session=3, user_id=5, received_ns=4)
    assert phases == [
        AccountPhase.CONNECTED,
        AccountPhase.OPEN,
        AccountPhase.AUTHENTICATING,
        AccountPhase.SYNCING,
        AccountPhase.READY,
    ]
    assert one.venue_ms == 1_700_000_000_000
    assert one.send_command(SUBMIT).startswith(b'[0,"on",null,{')


def test_no_command_leaves_before_the_snapshots_or_for_another_session() -> None:
    one = session()
    with pytest.raises(LocalProtocolError, match="was connected"):
        one.send_command(SUBMIT)
    one.receive_many([info_event(server_id="s"), ACCEPTED, *SNAPSHOTS[:2]], 1)
    with pytest.raises(LocalProtocolError, match="was syncing"):
        one.send_command(SUBMIT)
    with pytest.raises(LocalProtocolError, match="was syncing"):
        one.send_cancel_many(everything=True)
    one.receive(SNAPSHOTS[2], 1)
    one.send_command(SUBMIT)
    stale = CancelOrder(cid=1, cid_date="d", venue_id=1, session=2, correlation_id="c")
    with pytest.raises(LocalProtocolError, match="session must be 3, was 2"):
        one.send_command(stale)
    with pytest.raises(LocalProtocolError, match="session must be 3, was 2"):
        one.send_multi([SUBMIT, stale])
    one.close()
    with pytest.raises(LocalProtocolError, match="was closed"):
        one.send_command(SUBMIT)


def test_a_text_that_was_written_ahead_is_that_of_its_very_command_and_as_bound_to_the_session() -> None:
    one = ready()
    written = write_ahead(SUBMIT)
    assert written is not None
    assert one.send_command(SUBMIT, written) is written.frame
    assert one.send_command(SUBMIT) == written.frame
    other = msgspec.structs.replace(SUBMIT, amount=2 * SUBMIT.amount)
    assert one.send_command(other, written) == encode_command(other) != written.frame
    one.close()
    with pytest.raises(LocalProtocolError, match="was closed"):
        one.send_command(SUBMIT, written)
    assert write_ahead(msgspec.structs.replace(SUBMIT, cid=0)) is None


def test_maintenance_holds_commands_back() -> None:
    one = ready()
    assert one.receive(notice_event(20060, "begin"), 1) == [MaintenanceStarted(text="begin")]
    with pytest.raises(LocalProtocolError, match="was in maintenance"):
        one.send_command(SUBMIT)
    assert one.receive(notice_event(20061, "end"), 1) == [MaintenanceEnded(text="end")]
    one.send_command(SUBMIT)
    assert one.receive(notice_event(20051, "bye"), 1) == [ServerStopping(text="bye")]


def test_other_requests() -> None:
    one = ready()
    assert one.send_calc(["balance"]) == b'[0,"calc",null,[["balance"]]]'
    assert one.send_cancel_many(group_ids=[4]) == b'[0,"oc_multi",null,{"gid":[4]}]'
    assert json.loads(one.send_multi([SUBMIT]))[1] == "ox_multi"
    assert one.send_ping(1) == b'{"event":"ping","cid":1}'
    assert one.receive(pong_event(cid=1, time_ms=5), 1) == [Pong(cid=1, venue_ms=5)]
    with pytest.raises(LocalProtocolError, match="was connected"):
        session().send_calc(["balance"])


def test_a_refused_login_may_be_tried_again() -> None:
    one = session()
    one.send_auth(1)
    with pytest.raises(LocalProtocolError, match="was authenticating"):
        one.send_auth(2)
    assert one.receive(auth_refused_event(10114, "nonce: small"), 1) == [AuthRefused(code=10114, text="nonce: small")]
    assert one.phase is AccountPhase.REFUSED
    one.send_auth(2)
    # The old documents write FAIL where real frames say FAILED.
    (refused,) = one.receive('{"event":"auth","status":"FAIL","code":10100,"msg":"apikey: invalid"}', 1)
    assert isinstance(refused, AuthRefused)


@pytest.mark.parametrize(
    ("filters", "kinds"),
    [
        (None, ["ps", "ws", "os"]),
        ((), ["ps", "ws", "os"]),
        (("trading",), ["ps", "os"]),
        (("trading-tBTCUSD", "wallet-exchange-BTC"), ["ps", "os", "ws"]),
        (("wallet", "notify"), ["ws"]),
    ],
)
def test_a_session_is_up_when_the_snapshots_its_filter_lets_through_are_here(
    filters: tuple[str, ...] | None, kinds: list[str]
) -> None:
    one = session(filters=filters)
    one.receive(ACCEPTED, 1)
    for kind in kinds[:-1]:
        assert not [e for e in one.receive(f'[0,"{kind}",[]]', 1) if isinstance(e, SessionUp)]
    assert isinstance(one.receive(f'[0,"{kinds[-1]}",[]]', 1)[-1], SessionUp)


def test_an_acceptance_that_was_lost_shows_when_all_snapshots_are_here() -> None:
    """Not with the first one: two frames that changed places are no loss."""
    for late in (True, False):
        one = session()
        one.receive(info_event(server_id="s"), 1)
        one.send_auth(1)
        told = one.receive_many([SNAPSHOTS[0], *[ACCEPTED] * late, *SNAPSHOTS[1:]], 1)
        assert [event for event in told if isinstance(event, AuthLost)] == ([] if late else [AuthLost()])
        assert any(isinstance(event, SessionUp) for event in told) is late


def test_permissions_of_the_old_documents_come_as_text() -> None:
    one = session()
    caps = json.dumps({"orders": {"read": "1", "write": "0"}})
    (accepted,) = one.receive(json.dumps({"event": "auth", "status": "OK", "userId": 5, "caps": caps}), 1)
    assert isinstance(accepted, AuthAccepted)
    assert accepted.permissions == {"orders": (True, False)}
    for odd in ("{", "5", 5, None, [1], {"orders": 1}):
        one = session()
        one.receive(json.dumps({"event": "auth", "status": "OK", "caps": odd}), 1)
        assert one.permissions == {}


def test_the_recorded_logins_come_up() -> None:
    for name in ("private-login-2017-04.frames.jsonl", "private-login-paper-account.frames.jsonl"):
        one = session()
        events = one.receive_many(ws_lines(name), 5)
        assert not [event for event in events if isinstance(event, FrameRefused)]
        assert len([event for event in events if isinstance(event, SessionUp)]) == 1
        orders = next(event for event in events if isinstance(event, OrderSnapshot))
        assert len(orders.orders) == (1 if "2017" in name else 0)
        assert one.tolerance.unknown_kinds == 0
    assert len([event for event in events if isinstance(event, VenueWallet)]) == 10


def test_both_counters_are_audited() -> None:
    one = ready()
    one.receive(conf_answer(FLAG_SEQ_ALL | FLAG_TIMESTAMP), 1)
    wallet = ["exchange", "USD", 1, 0, None]
    assert len(one.receive(json.dumps([0, "wu", wallet, 1, 1, 1_700_000_000_000]), 1)) == 1
    assert one.receive(json.dumps([0, "hb", 2, 1_700_000_000_001]), 1) == []
    gap, _ = one.receive(json.dumps([0, "wu", wallet, 3, 3]), 1)
    assert gap == SequenceGap(counter="account", expected=2, was=3)
    gap, _ = one.receive(json.dumps([0, "wu", wallet, 6, 4]), 1)
    assert gap == SequenceGap(counter="public", expected=4, was=6)
    # Another channel of the same socket counts on.
    assert one.receive(json.dumps([17, [1, 2, 3], 7]), 1) == []
    assert one.receive(json.dumps([17, "hb", 9]), 1) == [SequenceGap(counter="public", expected=8, was=9)]
    assert one.tolerance.unknown_channels == 2


def test_odd_frames_are_refused_or_counted() -> None:
    one = ready()
    for frame in ("x", "[]", "[0]", "[0,5]", '[0,"on"]', '[0,"on",5]', '["a","b","c"]', '{"a":1}', "[true,1]"):
        (event,) = one.receive(frame, 1)
        assert isinstance(event, FrameRefused)
    assert one.tolerance.refused == 9
    assert one.receive('[0,"hb"]', 1) == []
    assert one.receive('[0,"zz",[]]', 1) == []
    assert one.receive('{"event":"zz"}', 1) == []
    assert one.tolerance.unknown_kinds == 2
    assert one.receive('{"event":"error","code":10000,"msg":"event: invalid (x)"}', 1) == [
        ServerError(code=10000, text="event: invalid (x)")
    ]
    assert one.receive('{"event":"conf","status":"NO","code":10050}', 1) == [ConfRefused(code=10050, text="")]
    one.receive('{"event":"unauth","status":"OK","chanId":0}', 1)
    assert one.phase is AccountPhase.CLOSED


def test_the_secret_is_in_no_text() -> None:
    one = session()
    assert b"the-secret" not in one.send_auth(1)
    assert "the-secret" not in repr(one)
