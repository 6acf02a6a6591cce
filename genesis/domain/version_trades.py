"""Which trades a settings version made: from the verdict that it was judged by to the fills of that order."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from protocols.orders import Fill
from protocols.risk import Verdict
from protocols.units import ZERO


class VersionTrade(msgspec.Struct, frozen=True, kw_only=True):
    """One approved order of a version with what was traded of it. `trade_ids` are the venue's."""

    intent_id: str
    strategy: str
    symbol: str
    side: str
    decided_ms: int
    quantity: Decimal
    average_price: Decimal
    trade_ids: tuple[int, ...]


class VersionTrades(msgspec.Struct, frozen=True, kw_only=True):
    """What a version decided. `trades` are the newest of the `approved` orders that traded, newest first."""

    version: int
    approved: int
    denied: int
    filled: int
    trades: tuple[VersionTrade, ...]


class VersionReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the check of the configuration's history found; no faults means that it is what was written."""

    versions: int
    audit_lines: int
    file_lines: int | None
    faults: tuple[str, ...]

    @property
    def whole(self) -> bool:
        return not self.faults


def trades_of(version: int, verdicts: Iterable[Verdict], fills: Iterable[Fill], *, limit: int) -> VersionTrades:
    """Join the verdicts of one version with the fills of the orders that they allowed."""
    mine = [verdict for verdict in verdicts if verdict.settings_version == version]
    approved = {verdict.verdict_id: verdict for verdict in mine if verdict.approved}
    filled: dict[str, list[Fill]] = {}
    for fill in fills:
        if fill.intent_id in approved:
            filled.setdefault(fill.intent_id, []).append(fill)
    trades = [_trade(approved[intent_id], own) for intent_id, own in filled.items()]
    trades.sort(key=lambda trade: (-trade.decided_ms, trade.intent_id))
    return VersionTrades(
        version=version,
        approved=len(approved),
        denied=len(mine) - len(approved),
        filled=len(filled),
        trades=tuple(trades[:limit]),
    )


def _trade(verdict: Verdict, fills: list[Fill]) -> VersionTrade:
    quantity = sum((fill.quantity for fill in fills), ZERO)
    worth = sum((fill.quantity * fill.price for fill in fills), ZERO)
    return VersionTrade(
        intent_id=verdict.verdict_id,
        strategy=verdict.strategy,
        symbol=str(verdict.symbol),
        side=fills[0].side.value,
        decided_ms=verdict.decided_ms,
        quantity=quantity,
        average_price=worth / quantity if quantity else ZERO,
        trade_ids=tuple(sorted(fill.trade_id for fill in fills)),
    )
