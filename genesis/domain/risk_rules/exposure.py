"""Rules about how much is at stake: in one symbol, in all, net of shorts, and in how many."""

from decimal import Decimal

from genesis.domain.risk_rules.results import Number, rule
from genesis.domain.risk_state import Facts, Wish
from protocols.risk import DenialCode
from protocols.settings import Settings
from protocols.units import Side

_BUY = Side.BUY
_NOTHING = Decimal(0)


@rule(DenialCode.MAX_POSITION_NOTIONAL, opens=True, moves=True)
def position_notional(settings: Settings, facts: Facts, wish: Wish) -> bool:
    return facts.position_notional + wish.notional <= settings.risk.max_position_notional


@position_notional.tells
def _position_notional(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    now = facts.position_notional
    return {"now": now, "after": _after(now, facts, wish), "allowed": settings.risk.max_position_notional}


@rule(DenialCode.MAX_GROSS_EXPOSURE, opens=True, moves=True)
def gross_exposure(settings: Settings, facts: Facts, wish: Wish) -> bool:
    return facts.gross_notional + wish.notional <= settings.risk.max_gross_exposure


@gross_exposure.tells
def _gross_exposure(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    now = facts.gross_notional
    return {"now": now, "after": _after(now, facts, wish), "allowed": settings.risk.max_gross_exposure}


def _after(now: Decimal, facts: Facts, wish: Wish) -> Decimal:
    """What is at stake when the wish is done. What only takes away leaves nothing less than nothing, at whatever price
    it is reckoned."""
    return max(now - wish.notional, _NOTHING) if facts.reduces else now + wish.notional


@rule(DenialCode.MAX_NET_EXPOSURE, opens=True, moves=True)
def net_exposure(settings: Settings, facts: Facts, wish: Wish) -> bool:
    """Long less short. An order that brings the net nearer to nothing passes, however far out it is."""
    after = abs(_net_after(facts, wish))
    return after <= settings.risk.max_net_exposure or after < abs(facts.net_notional)


def _net_after(facts: Facts, wish: Wish) -> Decimal:
    return facts.net_notional + wish.notional if wish.side is _BUY else facts.net_notional - wish.notional


@net_exposure.tells
def _net_exposure(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    after, allowed = _net_after(facts, wish), settings.risk.max_net_exposure
    return {"now": facts.net_notional, "after": after, "allowed": allowed}


@rule(DenialCode.MAX_OPEN_POSITIONS, opens=True)
def open_positions(settings: Settings, facts: Facts, wish: Wish) -> bool:
    return _open_after(facts, wish) <= settings.risk.max_open_positions


def _open_after(facts: Facts, wish: Wish) -> int:
    return len(facts.open_symbols) + (wish.symbol not in facts.open_symbols)


@open_positions.tells
def _open_positions(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    after, allowed = _open_after(facts, wish), settings.risk.max_open_positions
    return {"now": len(facts.open_symbols), "after": after, "allowed": allowed}
