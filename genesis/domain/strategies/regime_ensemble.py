"""Regime-filtered ensemble: trend, breakout and reversion vote with weights, and the regime says who is heard."""

import math
from collections.abc import Mapping

from genesis.domain.regime import NAMES
from genesis.domain.strategies.voting import (
    REGIME,
    VOTE,
    VOTE_BREAKOUT,
    VOTE_REVERSION,
    VOTE_TREND,
    votes_atr,
    votes_start,
    votes_step,
)
from genesis.domain.strategy import BUY, HOLD, SELL, Parameter, State, StrategyKind

# State: [vote to enter] [vote to leave] [inside: 1 or 0] [votes]
_ENTER, _LEAVE, _INSIDE, _VOTES = 0, 1, 2, 3
_EVEN_ODDS = 0.5

VOTE_PARAMETERS = (
    Parameter(name="fast", default=12, low=2, high=500, whole=True, meaning="candles of the fast average"),
    Parameter(name="slow", default=48, low=3, high=1000, whole=True, meaning="candles of the slow average"),
    Parameter(name="channel", default=48, low=2, high=1000, whole=True, meaning="candles of the breakout's channel"),
    Parameter(name="trend", default=1, low=0, high=10, whole=False, meaning="weight of the averages"),
    Parameter(name="breakout", default=1, low=0, high=10, whole=False, meaning="weight of the breakout"),
    Parameter(name="reversion", default=0.5, low=0, high=10, whole=False, meaning="weight of the dip buyer"),
    Parameter(name="regime", default=1, low=0, high=1, whole=True, meaning="1: the regime says who is heard; 0: all"),
)


def start_votes(parameters: Mapping[str, float]) -> list[float]:
    """The voters' state, of `VOTE_PARAMETERS`."""
    return votes_start(
        int(parameters["fast"]),
        int(parameters["slow"]),
        int(parameters["channel"]),
        trend=parameters["trend"],
        breakout=parameters["breakout"],
        reversion=parameters["reversion"],
        minds_regime=parameters["regime"] > 0,
    )


def describe_votes(state: State, at: int) -> tuple[dict[str, float], tuple[str, ...]]:
    """What each voter says, for people."""
    vote = state[at + VOTE]
    if math.isnan(vote):
        return {}, ("not every voter has had the candles it needs",)
    features = {
        "vote": vote,
        "vote_trend": state[at + VOTE_TREND],
        "vote_breakout": state[at + VOTE_BREAKOUT],
        "vote_reversion": state[at + VOTE_REVERSION],
        "regime": state[at + REGIME],
    }
    name = NAMES[int(state[at + REGIME])].replace("_", " ")
    text = f"trend {features['vote_trend']:+.2f}, breakout {features['vote_breakout']:+.0f}"
    return features, (f"vote {vote:+.2f} in a {name} market ({text}, reversion {features['vote_reversion']:+.0f})",)


def _start(parameters: Mapping[str, float]) -> list[float]:
    enter, leave = parameters["enter"], parameters["leave"]
    if leave >= enter:
        raise ValueError(f"regime_ensemble.leave must be below enter ({enter:g}), was {leave:g}")
    return [enter, leave, 0.0, *start_votes(parameters)]


def _numeric(
    state: State, open_: float, high: float, low: float, close: float, volume: float
) -> tuple[float, float, float]:
    vote = votes_step(state, _VOTES, high, low, close)
    if vote != vote:
        return HOLD, 0.0, _EVEN_ODDS
    if state[_INSIDE] == 0.0 and vote >= state[_ENTER]:
        state[_INSIDE] = 1.0
        return BUY, abs(vote), _EVEN_ODDS
    if state[_INSIDE] == 1.0 and vote <= state[_LEAVE]:
        state[_INSIDE] = 0.0
        return SELL, abs(vote), _EVEN_ODDS
    return HOLD, abs(vote), _EVEN_ODDS


def _atr(state: State) -> float:
    return votes_atr(state, _VOTES)


def _describe(state: State, code: float) -> tuple[dict[str, float], tuple[str, ...]]:
    features, reasons = describe_votes(state, _VOTES)
    if code == BUY:
        reasons = (*reasons, f"that is at least {state[_ENTER]:g}, what an entry takes")
    elif code == SELL:
        reasons = (*reasons, f"that is at most {state[_LEAVE]:g}, where it leaves")
    return features, reasons


REGIME_ENSEMBLE = StrategyKind(
    name="regime_ensemble",
    version=1,
    text="Trend, breakout and reversion vote with weights, and the regime says who is heard.",
    parameters=(
        *VOTE_PARAMETERS,
        Parameter(name="enter", default=0.4, low=0.01, high=1, whole=False, meaning="vote that an entry takes"),
        Parameter(name="leave", default=-0.1, low=-1, high=0.9, whole=False, meaning="vote at which it leaves"),
    ),
    start=_start,
    numeric=_numeric,
    describe=_describe,
    atr=_atr,
)
