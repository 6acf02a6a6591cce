"""The strategies that are shipped, by the name settings know them by."""

from genesis.domain.strategies.ema_cross import EMA_CROSS
from genesis.domain.strategy import StrategyKind

STRATEGY_KINDS: dict[str, StrategyKind] = {kind.name: kind for kind in (EMA_CROSS,)}
