"""The audit trail gives away every edit, and says where."""

import msgspec
import pytest

from genesis.domain.config_audit import decode_entry, difference, encode_entry, next_entry, seal_of, trail_faults
from protocols.config import AuditEntry


def a_trail(length: int = 5) -> list[bytes]:
    lines: list[bytes] = []
    before: AuditEntry | None = None
    for number in range(length):
        before = next_entry(
            before,
            at_ms=number,
            actor="anna",
            action="set",
            outcome="applied",
            version=number,
            text=f"change {number}\nwith a second line",
            detail={"changed": ["risk.max_daily_loss"]},
            correlation_id=f"c{number}",
        )
        lines.append(encode_entry(before))
    return lines


def test_an_untouched_trail_is_whole_and_every_entry_is_one_line() -> None:
    lines = a_trail()
    assert trail_faults(lines, where="trail") == []
    assert difference(lines, lines) == []
    assert all(b"\n" not in line for line in lines)


@pytest.mark.parametrize("number", range(5))
def test_any_edit_any_removal_and_any_cut_shows(number: int) -> None:
    lines = a_trail()
    edited = lines.copy()
    edited[number] = edited[number].replace(b"anna", b"bert")
    assert f"line {number + 1} " in trail_faults(edited, where="trail")[0]
    resealed = lines.copy()
    entry = msgspec.structs.replace(decode_entry(lines[number]), actor="bert")
    resealed[number] = encode_entry(msgspec.structs.replace(entry, hash=seal_of(entry)))
    # Who can seal anew must seal all that follows; of the last line only the other copy and the anchors tell.
    assert trail_faults(resealed, where="trail") or number == 4
    assert difference(lines, resealed)
    removed = lines[:number] + lines[number + 1 :]
    assert trail_faults(removed, where="trail") or number == 4
    assert difference(lines, removed)
    torn = [*lines[:number], lines[number][:-9], *lines[number + 1 :]]
    assert trail_faults(torn, where="trail")


def test_a_trail_in_pieces_is_told_in_few_words() -> None:
    assert len(trail_faults([b"x"] * 1000, where="trail")) <= 20
