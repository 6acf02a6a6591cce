"""The signal machine: closed candles in, one score per strategy out, and a state that can be written down."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs
import msgspec

from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategy import Opinion, StrategyFault, StrategyKind
from protocols.journal import CellWrite
from protocols.market import Candle, CandleClosed
from protocols.settings import Settings, StrategySettings
from protocols.signals import SignalScore, StrategyView
from protocols.units import Symbol

SIGNAL_TABLE = "signal_state"
NOTHING_SEEN = -1

History = Callable[[str, str], Sequence[Candle]]
"""(symbol, time frame) -> closed candles, oldest first: what a strategy that was just switched on warms up with."""


class StrategyCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy's state as it is kept. Floats are written with all their digits; NaN as null."""

    kind: str
    kind_version: int
    symbol: str
    timeframe: str
    parameters: dict[str, float]
    last_open_ms: int
    state: tuple[float | None, ...]


_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER = msgspec.json.Decoder(StrategyCheckpoint)


@attrs.define(kw_only=True)
class Running:
    """One strategy that runs: its settings, its checked parameters, and its state after the last candle it saw."""

    settings: StrategySettings
    kind: StrategyKind
    parameters: dict[str, float]
    state: list[float]
    last_open_ms: int = NOTHING_SEEN
    changed: bool = True
    fault: str = ""
    scores: int = 0

    def say(self, candle: Candle) -> Opinion | None:
        """One step; None once the strategy has failed, from then on until it is started anew."""
        if self.fault:
            return None
        try:
            opinion = self.kind.step(self.state, candle)
        except StrategyFault as fault:
            self.fault = str(fault)
            return None
        self.last_open_ms = candle.open_ms
        return opinion

    def matches(self, checkpoint: StrategyCheckpoint) -> bool:
        return (
            checkpoint.kind == self.kind.name
            and checkpoint.kind_version == self.kind.version
            and checkpoint.symbol == self.settings.symbol
            and checkpoint.timeframe == self.settings.timeframe
            and checkpoint.parameters == self.parameters
            and len(checkpoint.state) == len(self.state)
        )


class SignalMachine:
    """Holds the strategies that settings name. Raises ValueError on settings that no strategy can run with."""

    def __init__(self, settings: Settings, kinds: Mapping[str, StrategyKind] = STRATEGY_KINDS) -> None:
        self._kinds = kinds
        self.running: dict[str, Running] = {}
        """By the strategies' names, in the order in which they speak."""
        self._told_faults: dict[str, str] = {}
        self.on_settings(settings)

    def on_settings(self, settings: Settings, history: History | None = None) -> None:
        """Start, stop and keep strategies. One whose kind, market or parameters changed starts anew, warmed by history.

        A kind counts as changed when its author's file did. Nothing changes when any of them is refused.
        """
        running: dict[str, Running] = {}
        for wanted in settings.strategies:
            if not wanted.enabled:
                continue
            if wanted.name in running:
                raise ValueError(f"strategy names must be unique, was {wanted.name} twice")
            kept = self.running.get(wanted.name)
            if kept is not None and kept.settings == wanted and kept.kind is self._kinds.get(wanted.kind):
                running[wanted.name] = kept
                continue
            fresh = self._start(wanted)
            if history is not None:
                for candle in history(wanted.symbol, wanted.timeframe):
                    fresh.say(candle)
            running[wanted.name] = fresh
        self.running = running

    def on_candle(self, closed: CandleClosed) -> tuple[SignalScore, ...]:
        """Every strategy of that market says what it thinks. A candle seen before moves nothing and says nothing."""
        candle = closed.candle
        scores: list[SignalScore] = []
        for running in self.running.values():
            wanted = running.settings
            if wanted.symbol != candle.symbol or wanted.timeframe != candle.timeframe:
                continue
            if candle.open_ms <= running.last_open_ms:
                continue
            opinion = running.say(candle)
            if opinion is None:
                continue
            running.changed = True
            running.scores += 1
            scores.append(score_of(running, closed, opinion))
        return tuple(scores)

    def leaves_the_process(self, symbol: str | None = None, timeframe: str | None = None) -> bool:
        """Whether a candle of this market (of any) makes somebody's own code run elsewhere, which may take its time."""
        return any(
            running.kind.foreign
            and symbol in (None, running.settings.symbol)
            and timeframe in (None, running.settings.timeframe)
            for running in self.running.values()
        ) or (symbol is None and any(kind.foreign for kind in self._kinds.values()))

    def new_faults(self) -> dict[str, str]:
        """Strategy -> why it is off, of those that failed since the last time this was asked."""
        faults = {name: running.fault for name, running in self.running.items() if running.fault}
        new = {name: text for name, text in faults.items() if self._told_faults.get(name) != text}
        self._told_faults = faults
        return new

    def views(self) -> tuple[StrategyView, ...]:
        """Every strategy that runs or should."""
        return tuple(
            StrategyView(
                strategy=name,
                kind=running.kind.name,
                version=running.kind.version,
                symbol=Symbol(running.settings.symbol),
                timeframe=running.settings.timeframe,
                parameters=running.parameters,
                scores=running.scores,
                last_open_ms=max(running.last_open_ms, 0),
                fault=running.fault,
                own=running.kind.foreign or bool(running.kind.fault),
            )
            for name, running in self.running.items()
        )

    def checkpoint(self, *, everything: bool = False) -> tuple[CellWrite, ...]:
        """The cells of the strategies that moved since the last checkpoint (or of all of them)."""
        moved = [name for name, running in self.running.items() if running.changed or everything]
        for name in moved:
            self.running[name].changed = False
        return tuple(CellWrite(table=SIGNAL_TABLE, key=name, payload=_kept(self.running[name])) for name in moved)

    def states(self) -> dict[str, bytes]:
        """Every strategy as it would be kept now, by its name."""
        return {name: _kept(running) for name, running in self.running.items()}

    def restore(self, cells: Iterable[CellWrite]) -> tuple[str, ...]:
        """Take kept states back, and name those that no longer fit their settings (they start anew)."""
        refused: list[str] = []
        for cell in cells:
            running = self.running.get(cell.key)
            if running is None:
                continue
            checkpoint = _DECODER.decode(cell.payload)
            if not running.matches(checkpoint):
                refused.append(cell.key)
                continue
            running.state[:] = [math.nan if number is None else number for number in checkpoint.state]
            running.last_open_ms = checkpoint.last_open_ms
            running.changed = False
        return tuple(refused)

    def seen_until(self) -> dict[tuple[str, str], int]:
        """(symbol, time frame) -> newest candle that every strategy there has seen."""
        seen: dict[tuple[str, str], int] = {}
        for running in self.running.values():
            market = (running.settings.symbol, running.settings.timeframe)
            seen[market] = min(seen.get(market, running.last_open_ms), running.last_open_ms)
        return seen

    def _start(self, wanted: StrategySettings) -> Running:
        kind = self._kinds.get(wanted.kind)
        if kind is None:
            raise ValueError(f"strategy kind must be one of {', '.join(sorted(self._kinds))}, was {wanted.kind}")
        parameters = kind.resolve(wanted.parameters)
        return Running(
            settings=wanted, kind=kind, parameters=parameters, state=kind.start(parameters), fault=kind.fault
        )


def score_of(running: Running, closed: CandleClosed, opinion: Opinion) -> SignalScore:
    """The message of an opinion: who said it, of which candle."""
    wanted, candle = running.settings, closed.candle
    return SignalScore(
        signal_id=f"{wanted.name}:{candle.symbol}:{candle.timeframe}:{candle.open_ms}",
        strategy=wanted.name,
        symbol=candle.symbol,
        timeframe=candle.timeframe,
        candle_open_ms=candle.open_ms,
        # The candle's end, not the moment we heard of it: a decision must not depend on our latency.
        decided_ms=closed.closed_ms,
        price=candle.close,
        recommendation=opinion.recommendation,
        confidence=opinion.confidence,
        probability=opinion.probability,
        source=f"{running.kind.name}/{running.kind.version}",
        features=opinion.features,
        reasons=opinion.reasons,
        catch_up=closed.catch_up,
        correlation_id=closed.correlation_id,
        received_ns=closed.received_ns,
    )


def _kept(running: Running) -> bytes:
    kept = StrategyCheckpoint(
        kind=running.kind.name,
        kind_version=running.kind.version,
        symbol=running.settings.symbol,
        timeframe=running.settings.timeframe,
        parameters=running.parameters,
        last_open_ms=running.last_open_ms,
        state=tuple(None if math.isnan(number) else number for number in running.state),
    )
    return _ENCODER.encode(kept)


def read_checkpoint(payload: bytes) -> StrategyCheckpoint:
    """A kept state. Raises ValueError on bytes that are none."""
    return _DECODER.decode(payload)


def seen_until(settings: Settings, cells: Iterable[CellWrite]) -> dict[tuple[str, str], int]:
    """What a signal machine with these settings and kept cells has seen; the market cache tells what comes after."""
    machine = SignalMachine(settings)
    machine.restore(cells)
    return machine.seen_until()
