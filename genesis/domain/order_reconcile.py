"""Comparing our books with the venue's: at every session, after every doubt, and all the time.

Absence is the hardest word to believe. It takes a socket that is closed, a later session's snapshot without the order,
history without it, and both still so after the quarantine, which is longer than any bytes were ever late.
"""

from collections.abc import Iterable

from genesis.domain.order_hearing import REPORTS_WITHOUT_FILLS, OrderHearing
from genesis.domain.order_rows import OrderRow
from genesis.domain.order_session import HISTORY_MARGIN_MS, KNOWN_KEPT_MS, LISTED_MS
from genesis.domain.order_state import AT_VENUE, OrderEvent
from protocols.orders import HistoryFailed, HistoryReport, OrderSnapshot, OrderState, UnclearRow, VenuePosition
from protocols.units import AMOUNT_STEP, ZERO, amount_blur, plain

E, S = OrderEvent, OrderState


class OrderReconciler(OrderHearing):
    """Sessions, snapshots, reports of history, and the deadlines of single orders."""

    def _hears(self, session: int) -> bool:
        if self.fence.enters(session):
            self._session_is_over()
        if not self.fence.hears(session):
            self.stale_frames_total += 1
            return False
        return True

    def _on_session_up(self, session: int, *, narrow: bool) -> None:
        if self._hears(session) and not self.fence.up:
            self.fence.up, self.fence.narrow = True, narrow
            self._begin_reconcile()

    def _session_is_over(self) -> None:
        self._fence_changed = True
        for row in list(self._open.values()):
            if row.state is S.SENT:
                self._doubt(row, "the session ended without an answer")

    def _on_snapshot(self, snapshot: OrderSnapshot) -> None:
        if not self._hears(snapshot.session) or self.fence.shown:
            return
        self.fence.shown, self.fence.shown_at = True, self._now
        for order in snapshot.orders:
            self._on_venue_order(order)
        self.fence.unclear = self._there_all_the_same(snapshot.unclear)
        self._begin_reconcile()

    def _there_all_the_same(self, unclear: Iterable[UnclearRow]) -> tuple[int, ...]:
        """Whose orders a row of open ones may be that cannot be as it was told: they are neither gone nor known.

        Where a row does not say whose it is, it may be any that is not known to be another's.
        """
        found: set[int] = set()
        for each in unclear:
            text = f"{each.reason}; it is taken for open, and nothing else of it is believed"
            if text not in self._unclear_told:
                self._unclear_told.add(text)
                self._out.alarms.append(("order_unclear", text))
            if each.venue_id is None and each.cid is None:
                return tuple(self._open)
            cid = None if each.venue_id is None else self._by_venue_id.get(each.venue_id)
            row = self.orders.get(each.cid or 0) if cid is None else self.orders[cid]
            if row is not None and (row.venue_id is None or cid is not None or each.venue_id is None):
                found.add(row.cid)
        return tuple(sorted(found))

    def _begin_reconcile(self) -> None:
        self._fence_changed = True
        if self.fence.up and self.fence.shown:
            self._want_history()
            self._ask_history()

    def _ask_history(self) -> None:
        deadline = self.fence.history_deadline()
        if deadline is None or self._now < deadline:
            return
        fence = self.fence
        if fence.venue_ms and max(fence.floor_ms, fence.trades_from_ms, fence.trades_ms) > fence.venue_ms:
            # An older program took them from a clock that was ahead.
            fence.floor_ms = fence.trades_floor_ms = fence.trades_ms = 0
        since = [fence.venue_ms or self._wall_ms]
        if not fence.venue_ms and fence.since_ms:
            # The venue has told no time yet, and our clock may be ahead now: history is asked from where it was before.
            since[0] = min(since[0], fence.since_ms + HISTORY_MARGIN_MS)
        since += [min(row.created_ms, row.intent.decided_ms) for row in self._open.values()]
        since += [fill.trade.time_ms for fill in self.fills.untold.values()]
        symbols = {row.intent.symbol for row in self._open.values()}
        symbols |= {fill.trade.symbol for fill in self.fills.untold.values()}
        oldest = min(since) - HISTORY_MARGIN_MS
        newest = since[0] - HISTORY_MARGIN_MS
        question = self.fence.ask(
            self._now,
            interval_s=self.settings.reconcile_interval_s,
            since_ms=max(oldest, since[0] - LISTED_MS, min(fence.floor_ms, newest), 0),
            trades_since_ms=max(oldest, min(max(fence.trades_ms - HISTORY_MARGIN_MS, fence.trades_from_ms), newest), 0),
            # By the venue's time alone: what our clock says is no word of theirs.
            asked_ms=min(fence.venue_ms, self._wall_ms),
            symbols=tuple(sorted(symbols)),
            positions=bool(self.mismatched) or any(margin and held for (_, margin), held in self.fills.held.items()),
        )
        if question is not None:
            self._questions_unkept += 1
            self._out.questions.append(question)

    def _on_report(self, report: HistoryReport) -> None:
        asked_at = self._report_asked_at = self.fence.pending_at
        if not self.fence.answered(report.request_id, report.session):
            return
        if not self.fence.reconciled:
            self._fence_changed = True
            self._forget_guesses()
        listed: set[int] = set()
        strangers: set[int] = set()
        for order in (*report.open_orders, *report.closed_orders):
            row = self._on_venue_order(order)
            if row is not None:
                listed.add(row.cid)
            elif order.venue_id not in self._by_venue_id:
                strangers.add(order.venue_id)
        there = {cid for cid in self.fence.unclear if self.orders[cid].seen_session != self.fence.session}
        there |= set(self._there_all_the_same(report.unclear))
        for trade in report.trades:
            self._on_trade(trade)
        for row in list(self._open.values()):
            if row.cid not in listed and row.cid not in there:
                self._judge_absence(row, asked_at)
            if row.closing is not None and row.open:
                self._count_report(row, asked_at)
                self._settle(row)
        for fill in list(self.fills.untold.values()):
            self._give_orphan_a_home(fill, strangers)
        if report.positions is not None:
            self._compare_positions(report.positions)
        venue_ms = self.fence.venue_ms
        self._forget(min(report.since_ms, venue_ms), min(self.fence.trades_since_ms, venue_ms))
        self._forget_strangers(report.since_ms)
        if not self.fills.untold and all([row.cid in listed and not row.unshown for row in self._open.values()]):
            # By the venue's own numbers nothing is missing: what rests for months need not be read of again.
            known, self.fence.trades_ms = self.fence.trades_ms, max(self.fence.trades_ms, self.fence.asked_ms)
            self._fence_changed |= self.fence.trades_ms >= known + KNOWN_KEPT_MS
        self._watch_from_here()
        if not self.fence.reconciled:
            self.fence.reconciled, self.fence.compared_at = True, self._now
            for row in list(self._open.values()):
                self._release(row)

    def _on_failed(self, failed: HistoryFailed) -> None:
        if not self.fence.failed(failed.request_id, self._now):
            return
        for row in list(self._open.values()):
            if row.state is S.UNKNOWN and row.absent_at is None and self._urgent(row):
                # Nor will REST tell of it.
                self._ask_for_session(row)

    def _count_report(self, row: OrderRow, asked_at: float) -> None:
        """It came without all trades of an order that has ended. What is asked early, or for others, in between says
        nothing new of a history that is late."""
        if row.lacked_at is None or asked_at >= row.lacked_at + self.settings.doubt_after_s:
            row.lacked_at = asked_at
            row.reports_without_fills += 1
            if row.unshown and row.reports_without_fills == REPORTS_WITHOUT_FILLS:
                text = f"order {row.cid}: the venue executed {row.executed}, its trades show {row.filled}"
                self._out.alarms.append(("fills_missing", f"{text}; the position counts what the venue says"))

    def _compare_positions(self, positions: Iterable[VenuePosition]) -> None:
        """Our fills against the venue's margin positions: where it holds less than we do, nothing is opened.

        A trade may fall between the two questions of one report, so a difference counts when the next one shows it,
        too. That the venue holds more is a stranger's trade on the same account, which is left alone.
        """
        amounts = {position.symbol: position.amount for position in positions}
        untold = {fill.trade.symbol for fill in self.fills.untold.values()}
        for (symbol, margin), held in self.fills.held.items():
            if not margin or symbol in untold:
                continue
            amount = amounts.get(symbol, ZERO)
            sign = 1 if held > 0 else -1
            if abs(held) - max(amount * sign, ZERO) <= AMOUNT_STEP + amount_blur(held):
                self._differs.discard(symbol)
                if self.mismatched.pop(symbol, None) is not None:
                    self._out.alarms.append(("position_agrees", f"{symbol}: margin position and our fills agree again"))
            elif symbol not in self._differs:
                self._differs.add(symbol)
                self._want_history()
            else:
                text = f"{symbol}: our fills hold {plain(held)} on margin, the venue {plain(amount)}"
                if symbol not in self.mismatched:
                    self._out.alarms.append(("position_differs", f"{text}; nothing is opened in it"))
                self.mismatched[symbol] = text

    def _release(self, row: OrderRow) -> None:
        """The session has been compared: what waited for that may go on."""
        if row.state is S.INTENT and row.session == 0:
            self._send(row)
        elif row.state is S.PENDING_UPDATE and (row.request is None or row.request.session != self.fence.session):
            row.request = None
            self._answered(row, "update: its session ended")
        elif row.swapped and row.seen_session == self.fence.session and row.closing is None:
            self._keep_place(row)
        if row.cancel_reason is not None:
            # How often it was asked for in vain says nothing of a session that can hear it.
            row.tries = 0
        self._pursue_cancel(row)

    def _judge_absence(self, row: OrderRow, asked_at: float) -> None:
        """The report does not list this order. What that means depends on who else could still speak of it."""
        if row.closing is not None or (row.state is S.INTENT and row.session == 0):
            # An end that was told is no absence.
            return
        if row.evidence_session < self.fence.session:
            # Its socket is closed, and this session's snapshot did not show it either.
            if row.state is not S.UNKNOWN:
                self._doubt(row, "the venue lists it neither as open nor as closed")
            if row.absent_at is None:
                row.absent_at = self._now
                row.check_at = self._now + self.settings.quarantine_s
                self._touch(row)
            elif asked_at >= row.absent_at + self.settings.quarantine_s:
                self.dead_total += 1
                self._end(row, E.ABSENT, "proven absent: neither in a later session's snapshot nor in history")
        elif row.state in (S.INTENT, S.SENT) and self._urgent(row):
            if asked_at >= self._asked_from(row) and not row.unlisted:
                # A little longer, because REST may be the slower one; then it is in doubt.
                row.unlisted = True
                row.check_at = max(row.due_at - self._answer_within(row) / 2, self._slow_answer_at(row))
                self._touch(row)
        elif row.state is S.UNKNOWN and self._urgent(row) and row.check_at is not None:
            if asked_at >= min(self._asked_from(row), row.check_at - self._doubted_for(row)):
                # REST answers, and does not show it: no use in waiting for a word of this socket.
                self._ask_for_session(row)
        elif row.state in AT_VENUE and row.closing is None and row.heard_at + self.settings.doubt_after_s < asked_at:
            # The socket is alive, so its closing frame may only be late; a new session will tell.
            self._doubt(row, "open for us, but not listed by the venue")

    def _check(self, row: OrderRow) -> None:
        """This row's deadline has come."""
        now, patience = self._now, self.settings.doubt_after_s
        if row.closing is not None:
            row.check_at = now + self._trades_within(row)
            self._want_history()
        elif row.state is S.INTENT and row.session == 0:
            row.check_at = self._too_old_at(row) if row.opens_risk else now + patience
            self._send(row)
        elif row.state in (S.INTENT, S.SENT):
            if not self._asks_before_doubting(row):
                where = ", and REST does not show it" if row.unlisted else ""
                self._doubt(row, f"no answer in {self._now - row.due_at + self._answer_within(row):.2f} s{where}")
                if row.unlisted or (self.fence.failures and self._urgent(row)):
                    # REST has said what it can say of it.
                    self._ask_for_session(row)
        elif row.state is S.UNKNOWN:
            self._check_doubt(row)
        elif row.swapped:
            self._check_swapped(row)
        elif row.state in (S.PENDING_CANCEL, S.PENDING_UPDATE) or row.cancel_reason is not None:
            # Whether a request went through shows in the order. A cancel may be asked for twice, an update not.
            if row.request is None or row.request.kind == "oc":
                row.request = None
                row.check_at = None
                self._pursue_cancel(row)
            row.check_at = now + max(patience, self._backoff(row))
            self._want_history()
        else:
            self._ask_for_end(row)
        self._touch(row)

    def _forget_guesses(self) -> None:
        """History speaks: what was assumed in its silence counts no more."""
        for bracket in self.brackets.values():
            if bracket.guess:
                bracket.guess = ZERO
                self._dirty[bracket.key] = bracket

    def _check_swapped(self, row: OrderRow) -> None:
        """Its cancel left in one frame with another order, and is not answered: both arrived, or neither."""
        other = None if row.request is None or row.request.within is None else self.orders.get(row.request.within)
        row.check_at = self._now + self.settings.doubt_after_s
        if other is not None and other.state in (S.INTENT, S.SENT, S.UNKNOWN):
            # As long as nobody knows of the other one it must not be taken for gone, nor for staying.
            self._want_history()
        elif other is None or other.venue_id is None:
            self._keep_place(row)
        else:
            row.request = None
            self._want_cancel(row, f"order {other.cid} is in its place")

    def _check_doubt(self, row: OrderRow) -> None:
        row.check_at = self._now + 3 * self.settings.doubt_after_s
        if row.absent_at is not None:
            quarantine_ends = row.absent_at + self.settings.quarantine_s
            if self._now < quarantine_ends:
                row.check_at = quarantine_ends
                return
        else:
            self._ask_for_session(row)
        self._want_history()

    def _ask_for_session(self, row: OrderRow) -> None:
        if row.evidence_session == self.fence.session and self.fence.wants_reconnect(self._now):
            # As long as this socket lives it may still deliver the order. Only its end makes absence provable.
            self._fence_changed = True
            self._out.reconnect = f"order {row.cid} has no answer in session {self.fence.session}"
            self._out.reconnect_session = self.fence.session
