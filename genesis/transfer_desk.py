"""Money that a person moves between two wallets: asked once, whatever happens to the answer or to this process.

The wish is durable before the first byte leaves, and says from then on that it may have left. What the venue answers
settles it. Where no answer comes, or the process ends, it stays open, nothing of its currency is moved meanwhile, and
the venue's ledger tells later what came of it (`transfer_proof`): when somebody looks, and before the next transfer.
"""

import contextlib
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

import attrs
import msgspec
import trio

from genesis.core.channel import Channel
from genesis.core.errors import ChannelClosed
from genesis.domain.transfer_proof import ABSENT_AFTER_MS, SHOWN_BY_MS, newest_entry, proven
from genesis.edge.errors import EdgeError, RequestFailed
from genesis.edge.rest import CircuitOpen, RestDoor
from genesis.venue_asking import ask_venue
from protocols.bitfinex import rest_requests
from protocols.bitfinex.errors import (
    ERR_GENERIC,
    ERR_PARAMS,
    AuthFailed,
    BitfinexError,
    Maintenance,
    NonceTooSmall,
    RateLimited,
    VenueError,
)
from protocols.bitfinex.rest_account import read_ledgers, read_write_answer
from protocols.journal import CellWrite, Commit, JournalRequest, NotKept, ReadCells, Record
from protocols.reference import LedgerEntry
from protocols.transfers import Transfer, TransferState, TransferWish
from protocols.units import ZERO, plain
from web.controls import Busy, Refused
from web.desk import VenueSilent

TABLE: Final = "transfers"
WRITER: Final = "transfers"
KEPT: Final = 500
LEDGER_LIMIT: Final = 2500
ANSWER_WITHIN_S: Final = 20.0
JOURNAL_WITHIN_S: Final = 10.0
SAYS_NO: Final = frozenset({"ERROR", "FAILURE"})
TOLD_BY_MS: Final = 10_000
"""The account shows what a transfer took sooner than this after the venue's answer."""
DID_NOTHING: Final = (RateLimited, NonceTooSmall, Maintenance, AuthFailed)

_decode = msgspec.json.Decoder(Transfer).decode
_encode = msgspec.json.Encoder(decimal_format="string").encode


@attrs.define(kw_only=True, eq=False)
class TransferDesk:
    """One a process. `tell` makes a notice of a level, a code and a text; `wall_ms` is this machine's clock; `listens`
    says whether the account hears of its wallets now."""

    door: RestDoor
    journal: Channel[JournalRequest]
    wall_ms: Callable[[], int]
    tell: Callable[[str, str, str], None]
    listens: Callable[[], bool]
    monotonic_s: Callable[[], float] = trio.current_time
    _waits_since: dict[str, float] = attrs.field(factory=dict, init=False)
    """When this process asked a transfer, or first saw that an earlier one had, by a clock that nobody sets."""
    _turn: trio.Lock = attrs.field(factory=trio.Lock, init=False)

    async def all(self) -> Sequence[Transfer]:
        """Every transfer that is remembered, newest first; open ones are looked up when the venue answers."""
        async with self._turn:
            return [await self._settle(row) if row.state is TransferState.ASKED else row for row in await self._rows()]

    async def make(self, wish: TransferWish, free: Callable[[], Decimal | None] = lambda: None) -> Transfer:
        """Move it, once: the same wish again gives what came of the first. `free` is the most that may go, as the
        account shows it (None: all).

        The state of what comes back says what is known. Raises Refused (another wish has that name, an open transfer of
        the currency, more than is free, an account that hears nothing, no room to keep it), Busy, VenueSilent; after
        any of them nothing has left.
        """
        async with self._turn:
            rows = await self._rows()
            for row in rows:
                if row.wish.transfer_id == wish.transfer_id:
                    return self._again(row, wish)
            for row in rows:
                if row.state is TransferState.ASKED and row.wish.currency == wish.currency:
                    row = await self._settle(row)
                    if row.state is TransferState.ASKED:
                        raise Refused("transfer_in_doubt", f"what came of {_words(row.wish)} must be known first")
            before = await ask_venue(self.door, rest_requests.ledgers(wish.currency, limit=LEDGER_LIMIT), read_ledgers)
            for row in rows:
                if _is_behind(row, wish, before, self.wall_ms()):
                    raise Refused(
                        "ledger_behind", f"the venue's ledger must show {_words(row.wish)} first, does not yet"
                    )
            self._check_free(wish, free(), rows)
            if not self.listens():
                # A balance of the next login does not say why it is another: the money would stand as lost, or won.
                raise Refused("account_silent", "the private line must be up to tell of a transfer, was not: try again")
            asked = Transfer(
                wish=wish, state=TransferState.ASKED, asked_ms=self.wall_ms(), after_entry=newest_entry(before)
            )
            await self._keep(asked, rows)
            self._waits_since[wish.transfer_id] = self.monotonic_s()
            return await self._carry(asked)

    def _check_free(self, wish: TransferWish, free: Decimal | None, rows: Sequence[Transfer]) -> None:
        """What went a moment ago may still be counted as there: of two wishes at once the second would take coins of a
        position."""
        if free is None:
            return
        since_ms = self.wall_ms() - TOLD_BY_MS
        gone = sum(
            (
                row.wish.amount
                for row in rows
                if row.state is TransferState.DONE
                and (row.settled_ms or row.asked_ms) >= since_ms
                and (row.wish.from_wallet, row.wish.currency) == (wish.from_wallet, wish.currency)
            ),
            ZERO,
        )
        if wish.amount > free - gone:
            left = plain(max(free - gone, ZERO))
            just = f"{plain(gone)} {wish.currency} went a moment ago, and of the rest " if gone else ""
            raise Refused(
                "held_by_positions", f"{just}at most {left} {wish.currency} may be moved: positions have more"
            )

    def _again(self, row: Transfer, wish: TransferWish) -> Transfer:
        same = {"actor": row.wish.actor, "reason": row.wish.reason}
        if msgspec.structs.replace(wish, **same) != row.wish:
            raise Refused(
                "transfer_id_reused", f"{wish.transfer_id} must be new for a new transfer, stands for another"
            )
        return row

    async def _carry(self, asked: Transfer) -> Transfer:
        state, text = await self._send(asked.wish)
        settled = None if state is TransferState.ASKED else self.wall_ms()
        row = msgspec.structs.replace(asked, state=state, settled_ms=settled, text=text)
        what = f"{_words(row.wish)} ({row.wish.actor})"
        if state is TransferState.ASKED:
            self.tell("warning", "transfer_in_doubt", f"whether {what} was carried out is not known: {text}")
            return row
        await self._keep_outcome(row)
        done = state is TransferState.DONE
        self.tell("info", "transfer", f"moved: {what}" if done else f"not moved: {what}: {text}")
        return row

    async def _send(self, wish: TransferWish) -> tuple[TransferState, str]:
        """What the venue says. Only what proves that nothing was done is a refusal; all else is doubt."""
        request = rest_requests.transfer(
            from_wallet=wish.from_wallet,
            to_wallet=wish.to_wallet,
            currency=wish.currency,
            amount=plain(wish.amount),
            currency_to=wish.currency_to,
        )
        with trio.move_on_after(ANSWER_WITHIN_S):
            try:
                answer = read_write_answer(await self.door.ask(request, exact=True), session=0, received_ns=0)
            except CircuitOpen as error:
                return TransferState.REFUSED, f"not asked: {error}"
            except RequestFailed as error:
                return (TransferState.ASKED if error.sent else TransferState.REFUSED), str(error)
            except DID_NOTHING as error:
                return TransferState.REFUSED, error.text or str(error)
            except VenueError as error:
                said_no = error.code in (ERR_GENERIC, ERR_PARAMS)
                return (TransferState.REFUSED if said_no else TransferState.ASKED), error.text or str(error)
            except (EdgeError, BitfinexError) as error:
                return TransferState.ASKED, str(error)
            notice = answer.notice
            if notice.status == "SUCCESS":
                return TransferState.DONE, notice.text
            if notice.status in SAYS_NO:
                return TransferState.REFUSED, notice.text
            return TransferState.ASKED, f"the venue answered {notice.status}: {notice.text}"
        return TransferState.ASKED, f"the venue did not answer within {ANSWER_WITHIN_S:g} s"

    async def _settle(self, row: Transfer) -> Transfer:
        """An open transfer by the venue's ledger; as it is when that does not answer."""
        try:
            entries = await ask_venue(
                self.door, rest_requests.ledgers(row.wish.currency, limit=LEDGER_LIMIT), read_ledgers
            )
        except VenueSilent:
            return row
        settled = proven(
            row,
            entries,
            whole=len(entries) < LEDGER_LIMIT,
            now_ms=self.wall_ms(),
            waited_ms=self._waited_ms(row),
        )
        if settled is not row:
            await self._keep_outcome(settled)
            self.tell("info", "transfer", f"{_words(row.wish)} ({row.wish.actor}): {settled.text}")
        return settled

    def _waited_ms(self, row: Transfer) -> int:
        """How long a transfer is under way at least. What an earlier process asked has left its socket, or never will:
        it has waited for all but what the venue needs to show it."""
        now = self.monotonic_s()
        since = self._waits_since.setdefault(row.wish.transfer_id, now - (ABSENT_AFTER_MS - SHOWN_BY_MS) / 1000)
        return int((now - since) * 1000)

    # --- the journal --------------------------------------------------------------------------------------------------

    async def _rows(self) -> list[Transfer]:
        found = await self._ask(ReadCells(table=TABLE))
        rows = [_decode(cell.payload) for cell in found.cells]
        return sorted(rows, key=lambda row: (row.asked_ms, row.wish.transfer_id), reverse=True)

    async def _keep(self, row: Transfer, rows: Sequence[Transfer]) -> None:
        """The wish, before it leaves. What is settled and old makes room."""
        settled = [each for each in rows if each.state is not TransferState.ASKED]
        gone = tuple(CellWrite(table=TABLE, key=each.wish.transfer_id, payload=b"") for each in settled[KEPT - 1 :])
        if isinstance(await self._ask(_commit(row, gone)), NotKept):
            raise Refused("not_kept", "the disk has no room to keep the transfer, so it was not asked")

    async def _keep_outcome(self, row: Transfer) -> None:
        # What cannot be kept now is looked up again: the wish is durable, and says that it is open.
        with contextlib.suppress(Busy):
            await self._ask(_commit(row))

    async def _ask(self, request: JournalRequest) -> Any:
        try:
            with trio.move_on_after(JOURNAL_WITHIN_S):
                return await self.journal.ask(request)
        except ChannelClosed:
            pass
        raise Busy("the journal", retry_after_s=5.0)


def _commit(row: Transfer, gone: tuple[CellWrite, ...] = ()) -> Commit:
    """One record for each state, however often it is found out; the cell says what is true now."""
    payload, name = _encode(row), row.wish.transfer_id
    record = Record(
        kind=Transfer.__name__,
        key=f"{name}:{row.state.value}",
        payload=payload,
        correlation_id=f"transfer:{name}",
        at_ms=row.settled_ms or row.asked_ms,
    )
    cell = CellWrite(table=TABLE, key=name, payload=payload)
    return Commit(writer=WRITER, records=(record,), cells=(cell, *gone), optional=True)


def _is_behind(row: Transfer, wish: TransferWish, entries: Sequence[LedgerEntry], now_ms: int) -> bool:
    """Whether the ledger lacks a transfer like this one that the venue has just confirmed: the entry, when it comes,
    would prove the new one."""
    mine = (row.wish.from_wallet, row.wish.currency, row.wish.amount)
    if row.state is not TransferState.DONE or mine != (wish.from_wallet, wish.currency, wish.amount):
        return False
    if now_ms - row.asked_ms >= ABSENT_AFTER_MS or row.entry_id is not None:
        return False
    unproven = msgspec.structs.replace(row, state=TransferState.ASKED)
    return proven(unproven, entries, whole=True, now_ms=row.asked_ms).state is not TransferState.DONE


def _words(wish: TransferWish) -> str:
    becomes = "" if wish.currency_to == wish.currency else f" as {wish.currency_to}"
    return f"{plain(wish.amount)} {wish.currency} from {wish.from_wallet} to {wish.to_wallet}{becomes}"
