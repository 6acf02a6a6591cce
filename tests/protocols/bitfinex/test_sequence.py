"""Sequence numbers: every reading of the documents is understood, and a real hole is always seen."""

from hypothesis import given
from hypothesis import strategies as st

from protocols.bitfinex.events import FLAG_SEQ_ALL, FLAG_TIMESTAMP, SequenceGap
from protocols.bitfinex.rows import Tolerance
from protocols.bitfinex.sequence import FrameNumbers, SequenceAudit

MS = 1_700_000_000_000
ALL = FLAG_SEQ_ALL | FLAG_TIMESTAMP


def audit(flags: int = ALL) -> SequenceAudit:
    return SequenceAudit(Tolerance(), flags=flags)


kinds = st.lists(st.sampled_from(["channel", "hb", "n", "ou", "wu", "te"]), min_size=1, max_size=60)


@given(kinds, st.booleans(), st.sampled_from([0, FLAG_SEQ_ALL, FLAG_TIMESTAMP, ALL]))
def test_what_a_server_numbers_a_client_finds_whole(frames: list[str], notices: bool, flags: int) -> None:
    server = FrameNumbers(flags=flags, number_notices=notices)
    client = audit(flags)
    for index, kind in enumerate(frames):
        if kind == "channel":
            assert client.read(list(server.channel(MS + index))) is None
        else:
            assert client.read(list(server.of_account(kind, MS + index)), kind) is None
    assert client.gaps == 0
    assert client.tolerance.extra_numbers == 0
    if flags & FLAG_TIMESTAMP:
        assert client.venue_ms == MS + len(frames) - 1


@given(st.integers(2, 50), st.data())
def test_one_lost_frame_is_one_gap(count: int, data: st.DataObject) -> None:
    lost = data.draw(st.integers(1, count - 1))
    server, client = FrameNumbers(flags=FLAG_SEQ_ALL), audit(FLAG_SEQ_ALL)
    gaps = [
        gap
        for index in range(count + 1)
        if (numbers := server.channel(0)) and index != lost and (gap := client.read(list(numbers)))
    ]
    assert gaps == [SequenceGap(counter="public", expected=lost + 1, was=lost + 2)]


def test_snapshots_count_as_zero_for_the_account() -> None:
    server, client = FrameNumbers(flags=FLAG_SEQ_ALL), audit(FLAG_SEQ_ALL)
    for kind in ("ps", "ws", "os"):
        assert server.of_account(kind, 0, snapshot=True)[1] == 0
    assert client.read([1, 0], "ps") is None
    assert client.read([2, 0], "ws") is None
    assert client.read([3, 1], "ou") is None
    assert client.read([4, 3], "ou") == SequenceGap(counter="account", expected=2, was=3)
    # Zero again would mean a new login on the same socket, which there is not.
    assert client.read([5, 0], "ou") == SequenceGap(counter="account", expected=4, was=0)


def test_the_first_event_after_the_snapshots_must_be_the_first() -> None:
    client = audit(FLAG_SEQ_ALL)
    assert client.read([1, 0], "os") is None
    assert client.read([2, 2], "on") == SequenceGap(counter="account", expected=1, was=2)


def test_notifications_are_read_in_every_way_the_documents_have() -> None:
    client = audit(FLAG_SEQ_ALL)
    client.read([10, 4], "ou")
    assert client.read([], "n") is None
    assert client.read([4], "n") is None  # the account's counter, unchanged
    assert client.read([10, 4], "n") is None  # both, neither advanced
    assert client.read([11, 4], "n") is None  # both, the public one advanced
    assert client.read([12], "n") is None  # the public one alone
    assert client.tolerance.notice_sequences == 2
    assert client.read([13, 5], "ou") is None
    assert client.read([20, 5], "n") == SequenceGap(counter="public", expected=14, was=20)


def test_numbers_nobody_asked_for_are_left_alone_and_counted() -> None:
    client = audit(0)
    assert client.read([5, MS]) is None
    assert client.read([MS]) is None
    assert (client.tolerance.extra_numbers, client.venue_ms, client.public) == (1, 0, 0)


def test_stamps_may_have_a_fraction_and_strangers_are_ignored() -> None:
    client = audit()
    assert client.read([1, MS + 0.5]) is None
    assert client.venue_ms == MS
    assert client.read([2, "x", None, True]) is None
    assert client.public == 2
