"""Generators by name: a draw more in one never moves another."""

from genesis.core.chance import Chance, fresh_seed


def test_the_same_name_and_seed_give_the_same_numbers_whoever_else_draws() -> None:
    quiet, busy = Chance(42), Chance(42)
    for _ in range(100):
        busy.port("net").random()
    assert [quiet.port("venue").random() for _ in range(5)] == [busy.port("venue").random() for _ in range(5)]


def test_names_and_seeds_differ() -> None:
    draws = {Chance(seed).port(name).random() for seed in (1, 2, "1-a") for name in ("a", "b", "c")}
    assert len(draws) == 9


def test_lives_of_one_seed_draw_numbers_of_their_own_and_can_be_had_again() -> None:
    draws = [Chance(0).life(number).port("web").getrandbits(64) for number in range(1, 20)]
    assert len({Chance(0).port("web").getrandbits(64), *draws}) == 20
    assert draws == [Chance(0).life(number).port("web").getrandbits(64) for number in range(1, 20)]


def test_the_numbers_do_not_depend_on_the_process() -> None:
    """Seeding by `hash` would change with PYTHONHASHSEED."""
    assert Chance(7).port("venue").getrandbits(32) == 3241977507


def test_fresh_seeds_are_fresh() -> None:
    assert len({fresh_seed() for _ in range(100)}) == 100
