"""A passed limit is told once, with what is done about it, and told again when it is over."""

import msgspec
import pytest

from genesis.domain.health_watch import MIB, Act, HealthWatch, Vitals
from protocols.settings import HealthSettings

SETTINGS = HealthSettings()
WELL = Vitals(disk_free_bytes=10_000 * MIB, memory_bytes=100 * MIB, journal_wait_s=0.0, loop_blocks=0)


def vitals(**changes: object) -> Vitals:
    return Vitals(
        **{
            "disk_free_bytes": WELL.disk_free_bytes,
            "memory_bytes": WELL.memory_bytes,
            "journal_wait_s": 0.0,
            "loop_blocks": 0,
            **changes,
        }  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("wrong", "name", "act"),
    [
        (vitals(disk_free_bytes=499 * MIB), "disk_free", Act.REDUCE),
        (vitals(memory_bytes=1501 * MIB), "memory", Act.ALARM),
        (vitals(journal_wait_s=10.5), "journal_wait", Act.REDUCE),
    ],
)
def test_a_limit_is_told_once_and_when_it_is_respected_again(wrong: Vitals, name: str, act: Act) -> None:
    watch = HealthWatch()
    assert watch.look(0.0, WELL, SETTINGS) == []
    [told] = watch.look(5.0, wrong, SETTINGS)
    assert (told.name, told.act, told.back) == (name, act, False)
    assert "must be" in told.text
    assert watch.look(10.0, wrong, SETTINGS) == []
    assert [one.ok for one in watch.findings if one.name == name] == [False]
    [back] = watch.look(15.0, WELL, SETTINGS)
    assert back.back
    assert all(one.ok for one in watch.findings)


def test_a_clock_that_is_off_is_told_since_risk_refuses_entries_then() -> None:
    """It was an alert of Prometheus alone: health was ok and nobody was woken, while nothing could be entered."""
    watch = HealthWatch()
    for skew_ms, ok, told in (
        (-900.0, True, []),
        (-1100.0, False, ["clock skew must be at most 1,000 ms from the venue's, was 1,100"]),
        (-1200.0, False, []),
        (None, True, []),
        (20.0, True, ["clock skew is well again: 20 ms from the venue's"]),
    ):
        changed = watch.look(0.0, vitals(clock_skew_ms=skew_ms), SETTINGS, clock_skew_max_ms=1000)
        assert [one.text for one in changed] == told
        assert all(one.act is Act.ALARM for one in changed)
        assert [one.ok for one in watch.findings if one.name == "clock_skew"] == ([] if skew_ms is None else [ok])


def test_a_value_at_its_limit_does_not_chatter() -> None:
    watch = HealthWatch()
    told = [
        one
        for number in range(50)
        for one in watch.look(number, vitals(disk_free_bytes=(499 + number % 3) * MIB), SETTINGS)
    ]
    assert len(told) == 1


def test_a_limit_of_nothing_is_not_watched() -> None:
    off = HealthSettings(disk_free_min_mib=0, memory_max_mib=0, journal_wait_max_s=0, memory_slope_max_mib_per_hour=0)
    watch = HealthWatch()
    assert watch.look(0.0, vitals(disk_free_bytes=0, memory_bytes=10**13, journal_wait_s=1e6), off) == []
    assert watch.findings == ()


def test_steady_growth_is_told_and_filling_caches_are_not() -> None:
    leak, cache = HealthWatch(), HealthWatch()
    heard_leak, heard_cache = [], []
    for number in range(0, 7200, 5):
        heard_leak += leak.look(number, vitals(memory_bytes=int((100 + number / 3600 * 200) * MIB)), SETTINGS)
        filled = min(number, 300) / 300 * 150
        heard_cache += cache.look(number, vitals(memory_bytes=int((100 + filled) * MIB)), SETTINGS)
    assert [one.name for one in heard_leak] == ["memory_growth"]
    assert [one.name for one in heard_cache if one.name != "memory_growth"] == []
    assert sum(not one.back for one in heard_cache) <= 1


def test_a_standstill_of_the_loop_is_an_alarm_each_time() -> None:
    watch = HealthWatch()
    assert [one.name for one in watch.look(0.0, vitals(loop_blocks=2), SETTINGS)] == ["loop"]
    assert watch.look(5.0, vitals(loop_blocks=2), SETTINGS) == []
    assert [one.name for one in watch.look(10.0, vitals(loop_blocks=3), SETTINGS)] == ["loop"]


def test_a_machine_that_is_busy_with_other_programs_is_told_calmly() -> None:
    watch = HealthWatch()
    [told] = watch.look(0.0, vitals(loop_starved=1, loop_starved_s=1.2), SETTINGS)
    assert (told.name, told.calm) == ("starved", True)
    assert told.text.startswith("the machine kept the process from running for 1.2 s: other programs")
    assert watch.look(5.0, vitals(loop_starved=1, loop_starved_s=1.2), SETTINGS) == []
    [told] = watch.look(10.0, vitals(loop_blocks=1, loop_starved=1), SETTINGS)
    assert (told.name, told.calm) == ("loop", False)


def test_what_the_machine_does_not_say_is_not_judged() -> None:
    watch = HealthWatch()
    assert watch.look(0.0, vitals(disk_free_bytes=None, memory_bytes=None), SETTINGS) == []
    assert [one.name for one in watch.findings] == ["journal_wait"]


def test_settings_choose_the_action() -> None:
    halting = msgspec.structs.replace(SETTINGS, disk_action="halt")
    [told] = HealthWatch().look(0.0, vitals(disk_free_bytes=0), halting)
    assert told.act is Act.HALT
