"""Windows, shuffles and the luck of many trials, by hand and by their laws."""

import itertools
import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.domain import overfitting as overfitting_module
from genesis.domain.overfitting import (
    Floats,
    block_bootstrap,
    block_sizes,
    block_sums,
    deflated_sharpe,
    efficiency_of,
    expected_best_sharpe,
    overfitting,
    shuffle_trades,
    why_no_efficiency,
    windows,
)


def test_rolling_and_anchored_windows_by_hand() -> None:
    rolling = windows(0, 100, train_ms=40, test_ms=20, purge_ms=5)
    assert [(one.train_from, one.train_to, one.test_from, one.test_to) for one in rolling] == [
        (0, 40, 45, 65),
        (20, 60, 65, 85),
        (40, 80, 85, 100),
    ]
    anchored = windows(0, 100, train_ms=40, test_ms=20, purge_ms=5, anchored=True)
    assert [(one.train_from, one.train_to) for one in anchored] == [(0, 40), (0, 60), (0, 80)]
    # A last window of less than half a test is left out.
    assert len(windows(0, 94, train_ms=40, test_ms=20, purge_ms=5)) == 2
    with pytest.raises(ValueError, match="range must hold at least"):
        windows(0, 50, train_ms=40, test_ms=20, purge_ms=5)
    with pytest.raises(ValueError, match="must be above zero"):
        windows(0, 50, train_ms=0, test_ms=20)


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(1, 100), st.integers(0, 50), st.integers(100, 3000), st.booleans())
def test_no_test_was_ever_learned_from(train: int, test: int, purge: int, span: int, anchored: bool) -> None:
    try:
        found = windows(0, span, train_ms=train, test_ms=test, purge_ms=purge, anchored=anchored)
    except ValueError:
        return
    for one in found:
        assert 0 <= one.train_from < one.train_to <= one.test_from - purge
        assert one.test_from < one.test_to <= span
    for early, late in itertools.pairwise(found):
        assert early.test_to == late.test_from


def test_the_best_of_many_worthless_trials_looks_good() -> None:
    # E[max] of N normal draws: 1.5388 for 10 and 2.5076 for 100 (tables); the formula is within two hundredths.
    assert expected_best_sharpe(10, 1.0) == pytest.approx(1.5388, abs=0.04)
    assert expected_best_sharpe(100, 1.0) == pytest.approx(2.5076, abs=0.03)
    assert expected_best_sharpe(1, 1.0) == 0.0


def test_deflated_sharpe_by_hand() -> None:
    # One normal trial: the probabilistic Sharpe ratio against zero.
    sharpe, periods = 0.1, 252
    plain = NormalDist().cdf(sharpe * math.sqrt(periods - 1) / math.sqrt(1 + 0.5 * sharpe**2))
    assert deflated_sharpe(sharpe, periods=periods, skewness=0.0, kurtosis=3.0, trials=1, deviation=0.0) == plain
    # The example of Bailey and Lopez de Prado (2014): SR 2.5 a year of 1250 daily returns, 100 trials whose yearly
    # ratios have a variance of 1/2, skewness -3, kurtosis 10: 0.9004.
    value = deflated_sharpe(
        2.5 / math.sqrt(250),
        periods=1250,
        skewness=-3.0,
        kurtosis=10.0,
        trials=100,
        deviation=math.sqrt(0.5 / 250),
    )
    assert value == pytest.approx(0.9004, abs=5e-4)
    assert deflated_sharpe(0.1, periods=2, skewness=0.0, kurtosis=3.0, trials=1, deviation=0.0) is None


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(-0.2, 0.2), min_size=2, max_size=40), st.integers(0, 5))
def test_a_shuffle_changes_the_way_and_not_the_end(returns: list[float], seed: int) -> None:
    found = shuffle_trades(returns, runs=50, seed=seed)
    end = math.prod(1 + one for one in returns) - 1
    for value in (found.total_return.p05, found.total_return.p50, found.total_return.p95):
        assert value == pytest.approx(end, abs=1e-9)
    assert 0.0 <= found.max_drawdown.p05 <= found.max_drawdown.p95 <= 1.0
    assert found == shuffle_trades(returns, runs=50, seed=seed)


def test_a_bootstrap_of_blocks_spreads_around_what_was() -> None:
    returns = [0.02, -0.01] * 100
    found = block_bootstrap(returns, runs=500, seed=1)
    assert found.total_return.p05 < math.prod(1 + one for one in returns) - 1 < found.total_return.p95
    whole = block_bootstrap(returns, runs=20, seed=1, block=200)
    # One block of the whole length is the same history from another beginning.
    assert whole.total_return.p05 == pytest.approx(whole.total_return.p95)
    for wrong in ({"runs": 0}, {"runs": 10**6}):
        with pytest.raises(ValueError, match="runs must be"):
            block_bootstrap(returns, seed=1, **wrong)
    with pytest.raises(ValueError, match="at least two"):
        shuffle_trades([0.1], runs=5, seed=1)


def matrices(returns: Floats) -> tuple[Floats, Floats]:
    """Sums and squares by block of each row."""
    found = [block_sums(row) for row in returns]
    assert all(each is not None for each in found)
    sums, squares = zip(*(each for each in found if each is not None), strict=True)
    return np.array(sums), np.array(squares)


def by_the_book(returns: Floats, blocks: int, by: str = "sharpe") -> tuple[float, float]:
    """The definition itself, return by return: (PBO, how often the chosen one loses)."""
    trials, periods = returns.shape
    begins = [place * periods // blocks for place in range(blocks + 1)]
    overfitted, lost, ways = 0, 0, 0
    for half in itertools.combinations(range(blocks), blocks // 2):
        is_learned = np.zeros(periods, dtype=bool)
        for block in half:
            is_learned[begins[block] : begins[block + 1]] = True

        def sharpes(part: Floats) -> list[float]:
            return [float(row.mean() / row.std(ddof=1)) if row.std(ddof=1) > 1e-15 else 0.0 for row in part]

        def growths(part: Floats) -> list[float]:
            return [math.fsum(row - row**2 / 2) for row in part]

        measure = growths if by == "growth" else sharpes
        learned, tested = measure(returns[:, is_learned]), measure(returns[:, ~is_learned])
        best = tested[learned.index(max(learned))]
        rank = sum(one < best for one in tested) + (sum(one == best for one in tested) + 1) / 2
        overfitted += math.log(rank / (trials + 1) / (1 - rank / (trials + 1))) <= 0.0
        lost += best < 0.0
        ways += 1
    return overfitted / ways, lost / ways


def test_the_probability_of_overfitting_is_what_its_definition_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overfitting_module, "BLOCKS", 6)
    monkeypatch.setattr(overfitting_module, "_AT_ONCE", 40)
    chance = np.random.default_rng(5)
    for trials, periods in ((8, 12), (9, 40), (11, 61)):
        returns = chance.normal(0.0, 0.01, (trials, periods)) + chance.normal(0.0, 0.002, (trials, 1))
        # One never trades, and two are the same.
        returns[3] = 0.0
        returns[5] = returns[4]
        found = overfitting(*matrices(returns), periods)
        assert found is not None
        assert (found.probability, found.loss_probability) == by_the_book(returns, 6)
        assert (found.trials, found.blocks, found.ways) == (trials, 6, 20)


def test_of_a_search_for_growth_the_halves_are_ranked_by_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    """The steadiest trial is the best by one and not by the other, so the two differ."""
    monkeypatch.setattr(overfitting_module, "BLOCKS", 6)
    chance = np.random.default_rng(5)
    returns = chance.normal(0.002, 0.05, (9, 60))
    returns[2] = 0.001 + chance.normal(0.0, 0.0001, 60)
    found, by_sharpe = overfitting(*matrices(returns), 60, "growth"), overfitting(*matrices(returns), 60)
    assert found is not None
    assert by_sharpe is not None
    assert (found.probability, found.loss_probability, found.by) == (*by_the_book(returns, 6, "growth"), "growth")
    assert by_sharpe.probability == 0.0 < found.probability


def test_worthless_trials_are_overfitted_half_of_the_time_and_a_good_one_never() -> None:
    chance = np.random.default_rng(11)
    told = []
    for _ in range(12):
        noise = chance.normal(0.0, 0.01, (40, 400))
        found = overfitting(*matrices(noise), 400)
        assert found is not None
        assert found.ways == 12_870
        told.append(found.probability)
        noise[7] += 0.004
        good = overfitting(*matrices(noise), 400)
        assert good is not None
        assert good.probability < 0.01
        assert good.loss_probability < 0.01
    assert 0.35 < sum(told) / len(told) < 0.65


def test_what_wins_in_one_half_and_loses_in_the_other_is_overfitted() -> None:
    """Each trial earns in some blocks just what it pays in the others: whatever is chosen was luck, and turns."""
    chance = np.random.default_rng(3)
    returns = chance.normal(0.0, 0.001, (24, 320))
    for trial in returns:
        good = chance.permutation(16)[:8]
        signs = np.where(np.isin(np.arange(16), good), 1.0, -1.0)
        trial += np.repeat(signs, 20) * 0.01
    found = overfitting(*matrices(returns), 320)
    assert found is not None
    assert found.probability > 0.9
    assert found.loss_probability > 0.9


def test_of_too_little_nobody_says_how_overfitted_it_is() -> None:
    assert block_sums(np.zeros(31)) is None
    returns = np.random.default_rng(1).normal(0.0, 0.01, (7, 64))
    assert overfitting(*matrices(returns), 64) is None
    assert [int(size) for size in block_sizes(33)] == [2] * 15 + [3]
    sums = block_sums(np.arange(33, dtype=np.float64))
    assert sums is not None
    assert sums[0].sum() == 33 * 32 / 2
    assert sums[1][0] == 1.0


def test_of_very_many_trials_neighbouring_blocks_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    returns = np.random.default_rng(2).normal(0.0, 0.01, (60, 160))
    monkeypatch.setattr(overfitting_module, "_MOST_CELLS", 70 * 60)
    found = overfitting(*matrices(returns), 160)
    assert found is not None
    assert (found.blocks, found.ways) == (8, 70)
    assert (found.probability, found.loss_probability) == by_the_book(returns, 8)


@pytest.mark.parametrize(
    ("learned", "tested", "told"),
    [
        ([2.0, 1.0], [1.0, 0.5], 0.5),
        ([2.0], [-1.0], -0.5),
        ([], [], None),
        ([-0.5], [1.0], None),
        # +0.05 in the mean of +2 and -1.9 is not known to be above zero, and 0.4 not eight times as good as promised.
        ([2.0, -1.9], [0.4, 0.4], None),
        ([0.01, 0.011], [1.0, 1.0], None),
        ([0.01, 0.011], [-1.0, -1.0], None),
        ([math.inf, 1.0], [1.0, 1.0], None),
    ],
)
def test_an_efficiency_is_told_only_where_what_was_learned_is_surely_more_than_nothing(
    learned: list[float], tested: list[float], told: float | None
) -> None:
    assert efficiency_of(learned, tested) == told


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=12), st.data())
def test_no_efficiency_is_beyond_what_is_credible(learned: list[float], data: st.DataObject) -> None:
    """Near a learned mean of zero it read as anything, with either sign."""
    some = st.lists(st.floats(-5, 5), min_size=len(learned), max_size=len(learned))
    told = efficiency_of(learned, data.draw(some))
    assert told is None or (abs(told) <= 10.0 + 1e-9 and sum(learned) > 0.0)


@pytest.mark.parametrize(
    ("tested", "learned_mean", "why"),
    [
        (0, None, "nothing was tested"),
        (2, None, "no window has both figures"),
        (2, -0.5, "what was learned has no gain"),
        (2, 0.05, "what was learned is too near to zero"),
    ],
)
def test_a_walk_forward_says_why_its_efficiency_is_not_known(tested: int, learned_mean: float | None, why: str) -> None:
    assert why_no_efficiency(tested, learned_mean) == why
