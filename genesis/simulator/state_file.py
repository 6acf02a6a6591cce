"""The venue's accounts on disk: an exchange inside the engine's process must not forget when that process is killed.

The state is one JSON file, replaced as a whole and synced. What only grows (closed orders, trades, ledger) lies beside
it as lines that are appended first; the state says how many of them count, so a torn tail is cut off at the next start.
How far the replay is, is overwritten in place: it may be a step behind, never wrong.
"""

import os
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from genesis.domain.venue_state import Account, History, LedgerEntry, Loan, Movement, Offer, PositionChange
from protocols.funding import FundingTrade
from protocols.orders import VenueOrder, VenueTrade

POSITION_WIDTH: Final = 20
KINDS: Final = {
    "orders": "order",
    "trades": "trade",
    "ledger": "entry",
    "positions": "position",
    "offers": "offer",
    "loans": "loan",
    "funding_trades": "funding_trade",
    "snapshots": "snapshot",
    "movements": "movement",
}
"""What a history holds, and what one of it is called in a line."""


class StateError(Exception):
    """A state file that cannot be used. The text says what must be and what was."""


class SavedState(msgspec.Struct, kw_only=True):
    """Everything but the history. `step` is the last step of the recording that is part of it."""

    recording: str
    step: int
    time_ms: int
    next_order_id: int
    next_priority: int
    last_trade_id: int
    next_position_id: int
    next_entry_id: int
    market: dict[str, Decimal]
    fees: dict[str, Decimal]
    accounts: dict[str, Account]
    nonces: dict[str, int]
    history_bytes: int = 0


class HistoryLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the history: whose, and one of the kinds."""

    account: str
    order: VenueOrder | None = None
    trade: VenueTrade | None = None
    entry: LedgerEntry | None = None
    position: PositionChange | None = None
    offer: Offer | None = None
    loan: Loan | None = None
    funding_trade: FundingTrade | None = None
    snapshot: PositionChange | None = None
    movement: Movement | None = None


class StateFile:
    """Three files: `path`, `path.history` and `path.step`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._history_path = path.with_name(path.name + ".history")
        self._step_path = path.with_name(path.name + ".step")
        self._written: dict[str, tuple[int, ...]] = {}
        self._history_bytes = 0
        self._step_file: int | None = None
        self.saves = 0

    def save(self, state: SavedState, histories: dict[str, History]) -> None:
        """Both files on disk before this returns. Raises OSError when the disk does not take them."""
        self._append(histories)
        state.history_bytes = self._history_bytes
        fresh = self.path.with_name(self.path.name + ".new")
        _write_synced(fresh, msgspec.json.encode(state))
        os.replace(fresh, self.path)
        self.saves += 1

    def _append(self, histories: dict[str, History]) -> None:
        lines: list[bytes] = []
        for name, history in histories.items():
            counts = self._written.get(name, (0,) * len(KINDS))
            for count, (field, kind) in zip(counts, KINDS.items(), strict=True):
                lines += [_line(HistoryLine(account=name, **{kind: item})) for item in getattr(history, field)[count:]]
            self._written[name] = _counts(history)
        if not lines:
            return
        data = b"".join(lines)
        file = os.open(self._history_path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # Over a torn tail of a former life, if there is one.
            os.ftruncate(file, self._history_bytes)
            os.pwrite(file, data, self._history_bytes)
            os.fsync(file)
        finally:
            os.close(file)
        self._history_bytes += len(data)

    def save_position(self, step: int) -> None:
        """In place and without a sync: a killed process loses nothing by that, and a power cut a little progress."""
        if self._step_file is None:
            self._step_file = os.open(self._step_path, os.O_RDWR | os.O_CREAT, 0o600)
        os.pwrite(self._step_file, f"{step:>{POSITION_WIDTH}}".encode(), 0)

    def close(self) -> None:
        if self._step_file is not None:
            os.close(self._step_file)
            self._step_file = None

    def load(self, recording: str) -> tuple[SavedState, dict[str, History]] | None:
        """The state as last saved; None when there is none. Raises StateError on one that is damaged or another's."""
        if not self.path.exists():
            return None
        try:
            state = msgspec.json.decode(self.path.read_bytes(), type=SavedState)
            data = self._history_path.read_bytes() if self._history_path.exists() else b""
        except (OSError, msgspec.MsgspecError, ValueError) as error:
            raise StateError(f"{self.path} must be a venue's state, was not: {str(error)[:160]}") from None
        if state.recording != recording:
            raise StateError(f"{self.path} must belong to recording {recording!r}, was of {state.recording!r}")
        if len(data) < state.history_bytes:
            raise StateError(f"{self._history_path} must have at least {state.history_bytes} bytes, had {len(data)}")
        histories = {name: History() for name in state.accounts}
        decoder = msgspec.json.Decoder(HistoryLine)
        try:
            for text in data[: state.history_bytes].splitlines():
                line = decoder.decode(text)
                history = histories.setdefault(line.account, History())
                for field, kind in KINDS.items():
                    if (item := getattr(line, kind)) is not None:
                        getattr(history, field).append(item)
        except (msgspec.MsgspecError, ValueError) as error:
            raise StateError(f"{self._history_path} must be a venue's history, was not: {str(error)[:160]}") from None
        self._history_bytes = state.history_bytes
        self._written = {name: _counts(history) for name, history in histories.items()}
        state.step = max(state.step, self._saved_step())
        return state, histories

    def _saved_step(self) -> int:
        try:
            return int(self._step_path.read_bytes()[:POSITION_WIDTH])
        except (OSError, ValueError):
            return -1


def _counts(history: History) -> tuple[int, ...]:
    return tuple(len(getattr(history, field)) for field in KINDS)


def _line(line: HistoryLine) -> bytes:
    return msgspec.json.encode(line) + b"\n"


def _write_synced(path: Path, data: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(file, data)
        os.fsync(file)
    finally:
        os.close(file)
