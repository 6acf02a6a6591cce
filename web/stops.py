"""Where the stops of a position are: the account tells what is held, the order actor what rests around it."""

from collections.abc import Iterable

from protocols.risk import PositionView
from protocols.trading import ProtectionStatus, ProtectionView
from protocols.units import Symbol
from web.models import HeldPosition, StopView


def stops_of(symbol: Symbol, books: Iterable[ProtectionView]) -> tuple[StopView, ...]:
    """Those that cover something of this symbol, in every wallet, oldest lot first."""
    return tuple(
        StopView(
            strategy="" if isinstance(lot, ProtectionView) else lot.strategy,
            margin=book.margin,
            quantity=lot.stopped,
            price=lot.stop_price,
            trailing_distance=lot.trailing_distance,
            activation_price=None if isinstance(lot, ProtectionView) else lot.activation_price,
        )
        for book in books
        if book.symbol == symbol and book.held
        for lot in book.lots or (book,)
        if lot.stopped
    )


def with_stops(position: PositionView, books: Iterable[ProtectionView], watch: ProtectionStatus) -> HeldPosition:
    """The position with its stops, and with what the watchdog says is wrong with them: the worst of its wallets."""
    told = {name: getattr(position, name) for name in position.__struct_fields__}
    faults = [each for each in watch.positions if each.symbol == position.symbol and each.fault]
    worst = max(faults, key=lambda each: each.naked_s, default=None)
    return HeldPosition(
        **told,
        stops=stops_of(position.symbol, books),
        stop_fault="" if worst is None else worst.fault,
        naked_s=0.0 if worst is None else worst.naked_s,
    )
