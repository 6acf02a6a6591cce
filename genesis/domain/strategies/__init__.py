"""The strategies there are, by the name settings know them by: those that are shipped, and those of the user."""

from collections.abc import Iterator, Mapping

from genesis.domain.strategies.donchian_breakout import DONCHIAN_BREAKOUT
from genesis.domain.strategies.ema_cross import EMA_CROSS
from genesis.domain.strategies.ensemble import ENSEMBLE
from genesis.domain.strategies.regime_ensemble import REGIME_ENSEMBLE
from genesis.domain.strategies.rsi_reversion import RSI_REVERSION
from genesis.domain.strategy import StrategyKind

SHIPPED: tuple[StrategyKind, ...] = (EMA_CROSS, RSI_REVERSION, DONCHIAN_BREAKOUT, REGIME_ENSEMBLE, ENSEMBLE)


class StrategyShelf(Mapping[str, StrategyKind]):
    """All kinds in one view. What is shipped never changes; `take_up` replaces the user's while the engine runs."""

    def __init__(self, shipped: tuple[StrategyKind, ...]) -> None:
        self._shipped = {kind.name: kind for kind in shipped}
        self._users: dict[str, StrategyKind] = {}

    def __getitem__(self, name: str) -> StrategyKind:
        kind = self._shipped.get(name)
        return self._users[name] if kind is None else kind

    def __iter__(self) -> Iterator[str]:
        yield from self._shipped
        yield from self._users

    def __len__(self) -> int:
        return len(self._shipped) + len(self._users)

    @property
    def shipped(self) -> Mapping[str, StrategyKind]:
        return self._shipped

    @property
    def users(self) -> Mapping[str, StrategyKind]:
        return self._users

    def take_up(self, kinds: Mapping[str, StrategyKind]) -> None:
        """These are the user's strategies from now on. Raises ValueError when one has the name of a shipped one."""
        for name in kinds:
            if name in self._shipped:
                raise ValueError(f"a strategy's name must differ from the shipped ones, was {name}")
        self._users = dict(kinds)


STRATEGY_KINDS = StrategyShelf(SHIPPED)
"""The process's one shelf: whoever is given no other looks here."""
