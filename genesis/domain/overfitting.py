"""Guards against fooling oneself: windows that test apart, shuffled trades, a Sharpe ratio that counts trials, and how
often the best of one half of the time is nothing special in the other."""

import itertools
import math
from collections.abc import Sequence
from statistics import NormalDist, stdev
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from genesis.domain.performance import DAY_MS

MOST_EFFICIENT: Final = 10.0
EULER: Final = 0.5772156649015329
_NORMAL: Final = NormalDist()

Floats = npt.NDArray[np.float64]


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a walk-forward: learn in [train_from, train_to), test in [test_from, test_to), ms UTC."""

    train_from: int
    train_to: int
    test_from: int
    test_to: int


def by_the_day(metric: str, value: float, span_ms: int | None) -> float:
    """A return as growth a day (its logarithm), so that windows of different lengths can be compared; other figures are
    ratios of their own."""
    if metric != "total_return" or span_ms is None or value <= -1.0:
        return value
    return math.log1p(value) * DAY_MS / span_ms


def efficiency_of(learned: Sequence[float], tested: Sequence[float]) -> float | None:
    """The mean of what was tested over that of what was learned, window by window; None where that says nothing.

    A ratio has a meaning only where what is below the line is surely not zero (Fieller 1954): a mean within its own
    standard error of zero might as well be that, and +0.05 learned beside +0.4 tested would read as eight times as
    good as promised. Of one window there is no such error; nobody is ten times as good as the best of a search.
    """
    if not learned or not all(map(math.isfinite, (*learned, *tested))):
        return None
    mean, came = sum(learned) / len(learned), sum(tested) / len(tested)
    error = stdev(learned) / math.sqrt(len(learned)) if len(learned) > 1 else 0.0
    return came / mean if mean > error and abs(came) <= MOST_EFFICIENT * mean else None


def why_no_efficiency(tested: int, learned_mean: float | None) -> str:
    """What to say in place of it, by how many windows were tested and the mean of what was learned."""
    if not tested:
        return "nothing was tested"
    if learned_mean is None:
        return "no window has both figures"
    return "what was learned has no gain" if learned_mean <= 0.0 else "what was learned is too near to zero"


def windows(
    start_ms: int, end_ms: int, *, train_ms: int, test_ms: int, purge_ms: int = 0, anchored: bool = False
) -> list[Window]:
    """Test windows that follow one another without overlap; each learns from what lies before it.

    `anchored` learns from the beginning on, else from `train_ms` before. Between learning and testing `purge_ms` are
    left out, so that nothing that was open at the end of learning is seen again. A last test window that would be
    shorter than half of the others is left out. Raises ValueError when not even one fits.
    """
    if train_ms <= 0 or test_ms <= 0 or purge_ms < 0:
        days = ", ".join(f"{each / 86_400_000:g}" for each in (train_ms, test_ms, purge_ms))
        raise ValueError(f"days to learn and to test must be above zero and those between not below, were {days}")
    found: list[Window] = []
    at = start_ms + train_ms + purge_ms
    while at < end_ms:
        test_to = min(at + test_ms, end_ms)
        if test_to - at < test_ms / 2:
            break
        train_to = at - purge_ms
        train_from = start_ms if anchored else train_to - train_ms
        found.append(Window(train_from=train_from, train_to=train_to, test_from=at, test_to=test_to))
        at += test_ms
    if not found:
        needed = (train_ms + purge_ms + test_ms / 2) / 86_400_000
        raise ValueError(f"range must hold at least {needed:.1f} days, held {(end_ms - start_ms) / 86_400_000:.1f}")
    return found


def expected_best_sharpe(trials: int, deviation: float) -> float:
    """The Sharpe ratio that the best of so many worthless trials has on average (Bailey, Lopez de Prado 2014)."""
    if trials < 2 or deviation <= 0.0:
        return 0.0
    first = _NORMAL.inv_cdf(1.0 - 1.0 / trials)
    second = _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return deviation * ((1.0 - EULER) * first + EULER * second)


def deflated_sharpe(
    sharpe: float, *, periods: int, skewness: float, kurtosis: float, trials: int, deviation: float
) -> float | None:
    """The probability that the true Sharpe ratio is above what luck gives the best of `trials`.

    `sharpe` is of one period, not annualised; `deviation` is that of the trials' Sharpe ratios; `kurtosis` is plain
    (3 for the normal distribution). None when there are too few periods to say.
    """
    if periods < 3:
        return None
    spread = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    if spread <= 0.0:
        return None
    luck = expected_best_sharpe(trials, deviation)
    return _NORMAL.cdf((sharpe - luck) * math.sqrt(periods - 1) / math.sqrt(spread))


BLOCKS: Final = 16
"""Parts of the time, of whose halves one chooses and the other judges: 12,870 ways (the authors' own example)."""
FEWEST_A_BLOCK: Final = 2
FEWEST_TRIALS: Final = 8
"""Among fewer a rank in the middle says nothing."""
_MOST_CELLS: Final = 50_000_000
"""Ways times trials, a few seconds of work: of more trials neighbouring blocks are put together."""
_AT_ONCE: Final = 1_000_000


class Overfitting(msgspec.Struct, frozen=True, kw_only=True):
    """How a choice of the best out of `trials` does where it was not chosen, over `ways` to halve `blocks` of time.

    `probability` (PBO) is the part of the ways in which the trial that is best in one half is no better than the middle
    of all trials in the other half; `loss_probability` that in which it loses there. `by` is what they are ranked by in
    both halves: `sharpe` or `growth`.
    """

    probability: float
    loss_probability: float
    trials: int
    blocks: int
    ways: int
    by: str = "sharpe"


def block_sums(returns: Floats) -> tuple[Floats, Floats] | None:
    """Sums and sums of squares of `BLOCKS` parts of the returns, as equal as can be; None of too few returns.

    That is all that the Sharpe ratio of any blocks together is made of.
    """
    if len(returns) < BLOCKS * FEWEST_A_BLOCK:
        return None
    begins = np.concatenate(([0], np.cumsum(block_sizes(len(returns)))[:-1]))
    return np.add.reduceat(returns, begins), np.add.reduceat(returns**2, begins)


def block_sizes(periods: int) -> npt.NDArray[np.int64]:
    """How many of so many returns each block has: int64[BLOCKS]."""
    return np.diff(np.arange(BLOCKS + 1, dtype=np.int64) * periods // BLOCKS)


IN_BLOCKS: Final = tuple((f"returns_{block:02d}", f"squares_{block:02d}") for block in range(BLOCKS))
"""Names of the figures of each block of time: the sum of its returns, and that of their squares."""


def returns_by_block(returns: Floats) -> dict[str, float | None]:
    """What the probability of overfitting needs of the returns; nothing where there are too few."""
    sums = block_sums(returns)
    if sums is None:
        return {}
    return {
        name: number
        for names, numbers in zip(IN_BLOCKS, zip(*(each.tolist() for each in sums), strict=True), strict=True)
        for name, number in zip(names, numbers, strict=True)
    }


def overfitting(sums: Floats, squares: Floats, periods: int, by: str = "sharpe") -> Overfitting | None:
    """The probability of backtest overfitting by combinatorially symmetric cross-validation (Bailey, Borwein, Lopez de
    Prado, Zhu 2017). `sums` and `squares` are float64[trials, BLOCKS] of `block_sums`; None of too few trials.

    Each half of the blocks chooses the trial with the best Sharpe ratio (or the most growth, where that was sought),
    and the other half ranks it among all by the same: a relative rank (its rank over trials + 1) of one half or below,
    a logit of zero or below, counts as overfitted.
    """
    trials = len(sums)
    if trials < FEWEST_TRIALS:
        return None
    blocks = BLOCKS
    while blocks > 4 and math.comb(blocks, blocks // 2) * trials > _MOST_CELLS:
        blocks //= 2
    sizes = block_sizes(periods).reshape(blocks, -1).sum(axis=1).astype(np.float64)
    sums, squares = (each.reshape(trials, blocks, -1).sum(axis=2).T for each in (sums, squares))
    halves = list(itertools.combinations(range(blocks), blocks // 2))
    overfitted = lost = 0
    measure = _growths if by == "growth" else _sharpes
    step = max(1, _AT_ONCE // trials)
    for begin in range(0, len(halves), step):
        chosen = np.zeros((len(halves[begin : begin + step]), blocks))
        np.put_along_axis(chosen, np.array(halves[begin : begin + step]), 1.0, axis=1)
        learned = measure(chosen @ sums, chosen @ squares, (chosen @ sizes)[:, None])
        judged = 1.0 - chosen
        tested = measure(judged @ sums, judged @ squares, (judged @ sizes)[:, None])
        best = np.take_along_axis(tested, learned.argmax(axis=1)[:, None], axis=1)
        # Of equals each has the rank in the middle of theirs.
        rank = (tested < best).sum(axis=1) + ((tested == best).sum(axis=1) + 1) / 2
        overfitted += int((rank / (trials + 1) <= 0.5).sum())
        lost += int((best < 0.0).sum())
    ways = len(halves)
    return Overfitting(
        probability=overfitted / ways, loss_probability=lost / ways, trials=trials, blocks=blocks, ways=ways, by=by
    )


def _sharpes(sums: Floats, squares: Floats, count: Floats) -> Floats:
    """Of one period each; 0 where nothing moves: who never trades wins nothing and loses nothing."""
    mean = sums / count
    deviation = np.sqrt(np.maximum(squares - count * mean**2, 0.0) / (count - 1.0))
    return np.divide(mean, deviation, out=np.zeros(mean.shape), where=deviation > 1e-15)


def _growths(sums: Floats, squares: Floats, count: Floats) -> Floats:
    """How much the money grew, as a logarithm: log(1 + r) is r - r**2 / 2 but for a third of r**3."""
    return sums - squares / 2.0


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """What a figure was in how many of a hundred of the made-up histories."""

    p05: float
    p25: float
    p50: float
    p75: float
    p95: float


class MonteCarlo(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of `runs` made-up histories. `loss_probability` is the part of them that ended below the start."""

    method: str
    runs: int
    total_return: Spread
    max_drawdown: Spread
    loss_probability: float


def shuffle_trades(returns: Sequence[float], *, runs: int, seed: int) -> MonteCarlo:
    """The same trades in other orders: what the drawdown owes to luck. `returns` are of the equity, one a trade."""
    values = _checked(returns, runs)
    rng = np.random.default_rng(seed)
    order = np.argsort(rng.random((runs, len(values))), axis=1)
    return _figures("trade shuffle", values[order])


def block_bootstrap(returns: Sequence[float], *, runs: int, seed: int, block: int | None = None) -> MonteCarlo:
    """Histories of the same length put together from blocks of consecutive returns, drawn with replacement.

    `block` is about the cube root of the length when not given: long enough to keep streaks, short enough to mix.
    """
    values = _checked(returns, runs)
    length = max(1, min(block if block is not None else round(len(values) ** (1 / 3)) or 1, len(values)))
    rng = np.random.default_rng(seed)
    blocks = -(-len(values) // length)
    starts = rng.integers(0, len(values), size=(runs, blocks))
    places = (starts[:, :, None] + np.arange(length)[None, None, :]) % len(values)
    return _figures("block bootstrap", values[places.reshape(runs, -1)[:, : len(values)]])


def _checked(returns: Sequence[float], runs: int) -> Floats:
    if len(returns) < 2:
        raise ValueError(f"returns must be at least two, was {len(returns)}")
    if not 1 <= runs <= 100_000:
        raise ValueError(f"runs must be from 1 to 100000, was {runs}")
    return np.asarray(returns, dtype=np.float64)


def _figures(method: str, paths: Floats) -> MonteCarlo:
    equity = np.cumprod(1.0 + np.maximum(paths, -1.0), axis=1)
    peak = np.maximum.accumulate(np.maximum(equity, 1.0), axis=1)
    last: Floats = np.asarray(equity[:, -1] - 1.0, dtype=np.float64)
    return MonteCarlo(
        method=method,
        runs=len(paths),
        total_return=_spread(last),
        max_drawdown=_spread(np.asarray(((peak - equity) / peak).max(axis=1), dtype=np.float64)),
        loss_probability=float((equity[:, -1] < 1.0).mean()),
    )


def _spread(values: Floats) -> Spread:
    found = np.percentile(values, (5, 25, 50, 75, 95)).tolist()
    return Spread(p05=found[0], p25=found[1], p50=found[2], p75=found[3], p95=found[4])
