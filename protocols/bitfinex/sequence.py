"""The numbers at the end of array frames: one public counter a socket, one for the account, and the venue's clock.

The documents disagree about notifications on channel 0 (no number, one of either counter, or both), so those are
read every way and none of them alone is a gap. Everything else must count up by one.
"""

from typing import Final

import attrs

from protocols.bitfinex.events import FLAG_SEQ_ALL, FLAG_TIMESTAMP, SequenceGap
from protocols.bitfinex.rows import Tolerance

SMALLEST_TIME_MS: Final = 100_000_000_000
"""1973 in milliseconds: above any sequence number of a socket, below any time stamp."""
LARGEST_TIME_MS: Final = 100_000_000_000_000
"""The year 5138: what is above is no stamp."""
LARGEST_LEAP_MS: Final = 31 * 86_400_000
"""A socket beats every 15 s, so its time goes on in small steps, and in a recording's holes in larger ones. Believed,
one stamp of another year would make all that every other stream says look old until the next start."""


FIRST_LEAP_MS: Final = 86_400_000
"""How far the first stamp of a socket may be from this machine's clock: clocks may differ, but not by a day."""


@attrs.define
class SequenceAudit:
    """What a client expects of the numbers. `flags` are those the venue has acknowledged, `about_ms` is what this
    machine's clock said when the socket was opened (0: nobody knows)."""

    tolerance: Tolerance
    flags: int = 0
    public: int = 0
    account: int = 0
    account_known: bool = False
    venue_ms: int = 0
    gaps: int = 0
    about_ms: int = 0
    _strange_ms: int = 0
    """The stamp that was not believed last."""

    def _is_strange(self, stamp: int) -> bool:
        """Whether a stamp is not believed: a leap, or a first one far from our clock. Of two that agree about when a
        socket begins, it is the clock that is wrong."""
        if self.venue_ms:
            return self.venue_ms < stamp - LARGEST_LEAP_MS
        if not self.about_ms or abs(stamp - self.about_ms) <= FIRST_LEAP_MS:
            return False
        before, self._strange_ms = self._strange_ms, stamp
        return abs(stamp - before) > FIRST_LEAP_MS

    def read(self, numbers: list[object], kind: str | None = None) -> SequenceGap | None:
        """Check the trailing numbers of one frame; `kind` is given for channel 0 only ("hb", "n", "ou" ...)."""
        whole = [number for number in numbers if isinstance(number, int) and not isinstance(number, bool)]
        if len(whole) != len(numbers):
            # A stamp with a fraction of a millisecond counts as a stamp; other kinds of values are left out.
            whole = [int(n) for n in numbers if isinstance(n, int | float) and not isinstance(n, bool)]
        # A stamp is known by its size, so a frame that was under way when the flags changed is not misread.
        if whole and whole[-1] >= SMALLEST_TIME_MS:
            stamp = whole.pop()
            if self.flags & FLAG_TIMESTAMP and stamp < LARGEST_TIME_MS:
                if self._is_strange(stamp):
                    self.tolerance.strange_stamps += 1
                else:
                    self.venue_ms = stamp
        # A stamp in a number's place is none: counted, it would make a stamp of the next number.
        whole = [number for number in whole if number < SMALLEST_TIME_MS]
        if not self.flags & FLAG_SEQ_ALL:
            self.tolerance.extra_numbers += bool(whole)
            return None
        if kind == "n":
            return self._read_notice(whole)
        gap: SequenceGap | None = None
        if whole:
            gap = self._count_public(whole[0])
        elif self.public:
            # A frame without its number is as good as a hole once counting has begun.
            gap = self._count_public(0)
        if kind not in (None, "hb") and len(whole) > 1:
            gap = self._count_account(whole[1]) or gap
        return gap

    def _count_public(self, number: int) -> SequenceGap | None:
        expected = self.public + 1
        known = self.public != 0
        if number:
            self.public = number
        if known and number != expected:
            self.gaps += 1
            return SequenceGap(counter="public", expected=expected, was=number)
        return None

    def _count_account(self, number: int) -> SequenceGap | None:
        expected = self.account + 1
        # 0 while the snapshots are sent; whoever joins later takes the first number as it comes.
        known, self.account_known = self.account_known, True
        if number == 0 and self.account == 0:
            return None
        self.account = number
        if known and number != expected:
            self.gaps += 1
            return SequenceGap(counter="account", expected=expected, was=number)
        return None

    def _read_notice(self, numbers: list[int]) -> SequenceGap | None:
        if not numbers:
            return None
        number = numbers[0]
        if number == self.public + 1 or self.public == 0:
            self.public = number
            return None
        self.tolerance.notice_sequences += 1
        if len(numbers) > 1 and number > self.public + 1:
            # With two numbers the first is the public counter in every reading; ahead of us means frames are missing.
            return self._count_public(number)
        return None


@attrs.define
class FrameNumbers:
    """The numbers a server appends, for one socket. `flags` follow the client's conf.

    Notifications get none unless `number_notices`: that satisfies every known client's audit.
    """

    flags: int = 0
    public: int = 0
    account: int = 0
    number_notices: bool = False

    def channel(self, time_ms: int) -> list[int]:
        """For a frame of a public channel, heartbeats and checksums included."""
        numbers: list[int] = []
        if self.flags & FLAG_SEQ_ALL:
            self.public += 1
            numbers.append(self.public)
        if self.flags & FLAG_TIMESTAMP:
            numbers.append(time_ms)
        return numbers

    def after_channel(self, time_ms: int) -> str:
        """`channel`, as the text behind a frame's payload."""
        flags = self.flags
        text = ""
        if flags & FLAG_SEQ_ALL:
            self.public += 1
            text = f",{self.public}"
        return f"{text},{time_ms}" if flags & FLAG_TIMESTAMP else text

    def of_account(self, kind: str, time_ms: int, *, snapshot: bool = False) -> list[int]:
        """For a frame of channel 0; `snapshot` for the first ones after authentication, which count as zero."""
        numbers: list[int] = []
        if self.flags & FLAG_SEQ_ALL and (kind != "n" or self.number_notices):
            self.public += 1
            numbers.append(self.public)
            if kind == "n":
                numbers.append(self.account)
            elif kind != "hb":
                self.account += 0 if snapshot else 1
                numbers.append(self.account)
        if self.flags & FLAG_TIMESTAMP:
            numbers.append(time_ms)
        return numbers
