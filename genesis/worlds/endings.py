"""What must be true at the end, when the faults are over: the engine is back, and its books are the venue's books."""

import itertools
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import msgspec
import trio

from genesis.domain.decision_log import SIGNAL_KIND, read_decision, record_lines
from genesis.domain.flows import moves_money
from genesis.domain.risk_machine import RISK_TABLE
from genesis.domain.risk_state import TRADED_WALLETS
from genesis.edge.store import ReadOnlyStore
from genesis.research.backtest import run_backtest
from genesis.research.parity import compare
from genesis.research.replay import REPLAYED_KINDS, replay
from genesis.simulator.settings import DEFAULT_SECRET
from genesis.worlds.engine_host import EngineHost
from genesis.worlds.process import Process, process_of
from genesis.worlds.rules import Rules
from genesis.worlds.shadowing import p3_a_shadow_stays_on_paper
from genesis.worlds.witness import Witness
from protocols.journal import ReadCells, ReadRecords, StoredRecord
from protocols.orders import OrderState, Purpose
from protocols.signals import SignalScore
from protocols.units import TIMEFRAME_MS, ZERO, Side, Symbol

if TYPE_CHECKING:
    from genesis.worlds.world import World

RESTING: Final = frozenset({OrderState.ACKED, OrderState.PARTIAL})
OWING: Final = ("risk", "order")
"""Whose messages become orders."""
LOOK_S: Final = 1.0
QUOTE: Final = "USD"
READY_WITHIN_S: Final = 180.0
"""The longest pause of a line is a minute, and one attempt may meet the end of the last fault."""
SETTLED_WITHIN_S: Final = 900.0
CRASHES_AN_HOUR: Final = 200
LONGEST_JOURNAL: Final = 10_000_000
_ROUNDED: Final = Decimal("0.9999")
"""Prices leave with five digits."""


class _Kept(msgspec.Struct):
    notional: Decimal


class _Reserved(msgspec.Struct):
    """What of risk's state matters here."""

    reservations: dict[str, _Kept]


_reserved = msgspec.json.Decoder(_Reserved)

Trouble = list[tuple[str, str]]


async def come_to_rest(world: "World") -> EngineHost | None:
    """Wait for the engine to be ready and its books to be right; every rule that never held is a violation."""
    witness = world.witness
    calm_since = trio.current_time()
    while not _ready(world.host):
        if trio.current_time() - calm_since > READY_WITHIN_S:
            witness.check("E7", False, f"{world.host} must be ready {READY_WITHIN_S:g} s after the last fault, is not")
            break
        await trio.sleep(LOOK_S)
    else:
        witness.check("E7", True, "")
        witness.note("world", "ready after the last fault")
        r1_risk_is_kept_as_the_journal_tells_it(world)
    while True:
        found = problems(world)
        if not found:
            for rule in ("M2", "M3", "M6", "M7", "M16"):
                witness.check(rule, True, "")
            witness.note("world", "settled")
            break
        if trio.current_time() - calm_since > SETTLED_WITHIN_S:
            for rule, text in found:
                witness.check(rule, False, text)
            break
        await trio.sleep(LOOK_S)
    return world.host


def r1_risk_is_kept_as_the_journal_tells_it(world: "World") -> None:
    """At its start risk told its counters, marks, locks and switches again from the records: nothing may differ."""
    engine = world.host.engine if world.host is not None else None
    assert engine is not None
    differing = [notice.text for notice in engine.readers.notices() if notice.code == "risk_rederived"]
    world.witness.check("R1", not differing, "; ".join(differing)[:500])


def _ready(host: EngineHost | None) -> bool:
    return (
        host is not None
        and host.process.alive
        and host.started.is_set()
        and host.engine is not None
        and host.engine.ready_to_trade()
    )


def problems(world: "World") -> Trouble:
    """What is not as it must be, now. It may be on its way to become so."""
    host, rules = world.host, world.rules
    if not _ready(host):
        return [("E7", f"{host} is not ready")]
    return [
        *nobody_owes_a_step(world),
        *m2_every_order_of_the_venue_is_ours(world),
        *m3_no_fate_is_open(world, rules),
        *m6_the_same_trades(world, rules),
        *m7_the_same_wallets(world),
        *m7_the_same_owners(world),
        *m7_what_moved_was_not_won(world),
        *(("M16", f"{symbol} must have its stop, has none") for symbol in world.venue.stops.bare()),
    ]


def nobody_owes_a_step(world: "World") -> Trouble:
    """An approval in the hands of an actor that hangs is no order yet, and is one when that was found and restarted."""
    assert world.host is not None
    assert world.host.engine is not None
    boxes = world.host.engine.plan.mailboxes
    return [("M3", f"{name} must have done what it was told, has not") for name in OWING if not boxes[name].idle]


def m2_every_order_of_the_venue_is_ours(world: "World") -> Trouble:
    found: Trouble = []
    for cid, told in world.venue.exchange.snapshot().orders_by_cid.items():
        # The stop of an OCO is an order that the venue places itself, beside ours and under its client id.
        ours = [order for order in told if order.placed_id is None]
        if len(ours) != 1:
            found.append(("M2", f"order {cid} is at the venue {len(ours)} times"))
        if cid not in world.rules.rows:
            found.append(("M2", f"order {cid} is at the venue and is nobody's"))
    return found


def m3_no_fate_is_open(world: "World", rules: Rules) -> Trouble:
    host = world.host
    assert host is not None
    assert host.engine is not None
    venue = world.venue.exchange.snapshot()
    theirs = {order.cid for order in venue.open_orders.values()}
    ours = {cid for cid, row in rules.rows.items() if row.open}
    found: Trouble = [
        ("M3", f"order {cid} is {row.state.value}: {row.reason}")
        for cid, row in rules.rows.items()
        if row.open and row.state not in RESTING
    ]
    if ours != theirs:
        found.append(("M3", f"open orders must be {sorted(theirs)}, are {sorted(ours)} for us"))
    shown = {order.cid for order in host.engine.cells.orders.value.open}
    if shown != ours:
        found.append(("M3", f"readers must see orders {sorted(ours)}, see {sorted(shown)}"))
    return found


def m6_the_same_trades(world: "World", rules: Rules) -> Trouble:
    theirs = {(trade.trade_id, trade.venue_order_id): trade for trade in world.venue.exchange.snapshot().trades}
    ours = rules.fills
    found: Trouble = [("M6", f"trade {key} is not booked") for key in theirs if key not in ours]
    found += [("M6", f"trade {key} is booked and never was") for key in ours if key not in theirs]
    for side, fill in ours.items():
        trade = theirs.get(side)
        if trade is not None and (fill.quantity, fill.price, fill.fee) != (abs(trade.amount), trade.price, trade.fee):
            found.append(("M6", f"trade {side} must be {trade}, is booked as {fill}"))
    host = world.host
    assert host is not None
    assert host.engine is not None
    shown = host.engine.cells.orders.value.fills_total
    if shown != len(theirs):
        found.append(("O1", f"the counter of fills must be {len(theirs)}, was {shown}"))
    return found


def m7_the_same_wallets(world: "World") -> Trouble:
    host = world.host
    assert host is not None
    assert host.engine is not None
    view = host.engine.cells.account.value
    if view is None:
        return [("M7", "the account is not known")]
    theirs = {name: balance for name, balance in world.venue.exchange.snapshot().wallets.items() if balance}
    ours = {f"{wallet.wallet_type} {wallet.currency}": wallet.balance for wallet in view.state.wallets}
    found: Trouble = []
    if {name: balance for name, balance in ours.items() if balance} != theirs:
        found.append(("M7", f"wallets must be {theirs}, are {ours}"))
    sold = _sold_from_before(world.rules)
    for position in view.state.positions:
        base = position.symbol[1:4]
        held = theirs.get(f"exchange {base}", ZERO) - world.spare + sold.get(position.symbol, ZERO)
        # Fees are taken in what was bought, so the sum of fills differs from the wallet by them.
        if position.quantity and abs(position.quantity - held) > Decimal("0.00001") + held / 100:
            found.append(("M7", f"position of {position.symbol} must be {held}, is {position.quantity}"))
    if view.state.mismatched_symbols:
        found.append(("M7", f"mismatched symbols: {view.state.mismatched_symbols}"))
    return found


def m7_the_same_owners(world: "World") -> Trouble:
    """Who holds what by the account is who holds it by the lots that stops rest for."""
    host = world.host
    assert host is not None
    assert host.engine is not None
    view = host.engine.cells.account.value
    if view is None:
        return [("M7", "the account is not known")]
    lots: dict[tuple[Symbol, str], Decimal] = {}
    for position in host.engine.readers.brackets():
        for lot in position.lots:
            if lot.lot:
                lots[position.symbol, lot.strategy] = lots.get((position.symbol, lot.strategy), ZERO) + lot.quantity
    owners = {(each.symbol, each.strategy): each.quantity for each in view.state.owners}
    found: Trouble = []
    for key in sorted(lots.keys() | owners.keys()):
        stopped, held = lots.get(key, ZERO), owners.get(key, ZERO)
        if abs(stopped - held) > Decimal("0.00001") + held / 100:
            found.append(
                ("M7", f"{' of '.join(reversed(key))} must be {stopped} by its lots, is {held} by the account")
            )
    return found


def m7_what_moved_was_not_won(world: "World") -> Trouble:
    """What people moved at the venue, whoever heard of it then, is neither profit nor loss."""
    host = world.host
    assert host is not None
    assert host.engine is not None
    view = host.engine.cells.account.value
    if view is None or not view.state.known:
        return [("M7", "the account is not known")]
    ledger = world.venue.exchange.venue.history("sim").ledger
    moved = [entry for entry in ledger if entry.wallet_type in TRADED_WALLETS and moves_money(entry.description)]
    if any(entry.currency != QUOTE for entry in moved):
        # What coins were worth when they moved, nobody has kept.
        return []
    theirs = sum((entry.amount for entry in moved), ZERO)
    if view.state.flows == theirs:
        return []
    return [("M7", f"{theirs} {QUOTE} were moved, by the account {view.state.flows}")]


def _sold_from_before(rules: Rules) -> dict[Symbol, Decimal]:
    """What people sold beyond all that had been bought until then, by the trades and not by what was made of them."""
    held: dict[Symbol, Decimal] = {}
    found: dict[Symbol, Decimal] = {}
    for fill in sorted(rules.fills.values(), key=lambda fill: (fill.time_ms, fill.trade_id)):
        if fill.foreign or fill.margin:
            continue
        left = held.get(fill.symbol, ZERO) + fill.side.sign * fill.quantity + fill.fee_in_base
        if left < 0 and fill.purpose is Purpose.MANUAL and fill.side is Side.SELL:
            found[fill.symbol] = found.get(fill.symbol, ZERO) - left
            left = ZERO
        held[fill.symbol] = left
    return found


# --- after the books ----------------------------------------------------------------------------------------------


def tasks_beside(venue: Process) -> int:
    """How many tasks live that are not the venue's: it keeps those of lines whose end no stalled network tells it."""
    count, found = 0, [trio.lowlevel.current_root_task()]
    while found:
        task = found.pop()
        if task is not None:
            count += process_of(task) is not venue
            found += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    return count


def check_machinery(host: EngineHost, witness: Witness, venue: Process, *, tasks_at_start: int) -> None:
    """E1: every message is somewhere once. E7: no storm. E8: nothing has grown."""
    engine = host.engine
    assert engine is not None
    for box in engine.plan.mailboxes.values():
        for channel in box.channels:
            try:
                channel.check_books()
            except AssertionError as error:
                witness.check("E1", False, str(error))
            else:
                witness.check("E1", True, "")
            witness.reached("a channel conflated", channel.conflated)
            witness.reached("a channel redelivered", channel.redelivered)
    tasks = tasks_beside(venue)
    text = f"tasks must be about {tasks_at_start} as at the start, were {tasks}"
    witness.check("E8", tasks <= tasks_at_start + 20, text)
    if engine.cells.orders.value.ghosts_total:
        witness.reached("a ghost was adopted", engine.cells.orders.value.ghosts_total)
    for name, stats in engine.stats.items():
        witness.reached(f"{name} saw a sequence gap", stats.sequence_gaps)
        witness.reached(f"{name} saw a bad checksum", stats.bad_checksums)


def check_rates(rules: Rules, witness: Witness, hours: float) -> None:
    limit = CRASHES_AN_HOUR * max(hours, 1.0)
    text = f"crashes of actors must be at most {limit:g}, were {len(rules.crashes)}"
    witness.check("E7", len(rules.crashes) <= limit, text)


def check_journal(world: "World") -> None:
    """S1: the journal is whole and holds what was promised. A3: no secret is in it. P1: decided again it says the same.

    P2: where nothing broke, a backtest of the same market decides the same, byte for byte.
    """
    path = world.disk.folder / "live.sqlite"
    with ReadOnlyStore.open(path) as store:
        head = store.verify()
        m3_nothing_approved_is_forgotten(world, store)
        if world.with_shadow:
            p3_a_shadow_stays_on_paper(world, store)
        kept = store.read_records(ReadRecords(kinds=REPLAYED_KINDS, limit=LONGEST_JOURNAL)).records
    again = replay(kept)
    for one in again.differences or (None,):
        world.witness.check("P1", one is None, f"a decision made again must be the same: {one}")
    world.witness.reached("a decision was made again", sum(again.counts.values()))
    c1_no_candle_is_skipped(world, kept)
    if not world.plan:
        assert world.host is not None
        tested = run_backtest(world.recording, world.host.settings, pairs=world.venue.exchange.venue.specs)
        report = compare(tested.lines, record_lines(row.record for row in kept), right_name="world")
        world.witness.check("P2", report.equal, f"a backtest must decide the same: {report}")
        world.witness.reached("a backtest decided the same", len(tested.lines))
    text = f"the journal must reach {world.rules.durable_seq}, ends at {head.seq}"
    world.witness.check("S1", head.seq >= world.rules.durable_seq, text)
    for file in sorted(world.disk.folder.iterdir()):
        world.witness.check("A3", DEFAULT_SECRET.encode() not in file.read_bytes(), f"{file.name} holds the API secret")
    world.witness.note("world", f"journal ends at {head.seq}")


def m3_nothing_approved_is_forgotten(world: "World", store: ReadOnlyStore) -> None:
    """What risk holds room for is an order that has not ended, and of a person's order as much as rests."""
    open_rows = {row.intent.intent_id: row for row in world.rules.rows.values() if row.open}
    for cell in store.read_cells(ReadCells(table=RISK_TABLE)).cells:
        waiting = _reserved.decode(cell.payload).reservations
        text = f"risk must hold room for open orders alone, does for {sorted(waiting.keys() - open_rows.keys())}"
        world.witness.check("M3", waiting.keys() <= open_rows.keys(), text)
        for name, row in open_rows.items():
            if row.intent.purpose is Purpose.MANUAL and row.price is not None and name in waiting:
                held, rests = waiting[name].notional, row.leaves * row.price
                text = f"risk must hold room for the {rests} of {name}, does for {held}"
                world.witness.check("M3", held >= rests * _ROUNDED, text)
                world.witness.reached("risk holds room for a changed order", row.change)


def c1_no_candle_is_skipped(world: "World", kept: tuple[StoredRecord, ...]) -> None:
    """Every strategy has seen every candle of the market from its first one on, whatever fell meanwhile."""
    seen: dict[str, list[int]] = {}
    length_ms: dict[str, int] = {}
    for row in kept:
        if row.record.kind == SIGNAL_KIND:
            score = read_decision(row.record)
            assert isinstance(score, SignalScore)
            seen.setdefault(score.strategy, []).append(score.candle_open_ms)
            length_ms[score.strategy] = TIMEFRAME_MS[score.timeframe]
    for strategy, stamps in seen.items():
        length = length_ms[strategy]
        holes = [after for before, after in itertools.pairwise(stamps) if after != before + length]
        text = f"{strategy} must have seen every candle, {len(holes)} do not follow, the first is {holes[:1]}"
        world.witness.check("C1", not holes, text)
