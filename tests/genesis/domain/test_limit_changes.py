"""Tightening is anybody's, loosening an admin's, and of every limit it is known which is which."""

from decimal import Decimal
from typing import Any

import pytest

from genesis.domain.limit_changes import loosened, undecided
from protocols.settings import RiskSettings

NOW = RiskSettings(
    max_trades_per_day=10,
    cooldown_s=60.0,
    stop_guard_losses=4,
    windows=("mon 08:00-17:00",),
    stop_guard_all=True,
    breaker_errors=0,
)


@pytest.mark.parametrize(
    ("name", "value", "looser"),
    [
        ("max_trades_per_day", 5, False),
        ("max_trades_per_day", 10, False),
        ("max_trades_per_day", 11, True),
        ("max_daily_loss", "0.04", False),
        ("max_daily_loss", "0.06", True),
        ("cooldown_s", 61, False),
        ("cooldown_s", 0, True),
        ("stop_guard_losses", 3, False),
        ("stop_guard_losses", 5, True),
        ("stop_guard_losses", 0, True),
        ("breaker_errors", 5, False),
        ("breaker_errors", 0, False),
        ("stop_guard_all", False, True),
        ("windows", ["mon 09:00-10:00"], False),
        ("windows", ["mon 07:00-10:00"], True),
        ("windows", [], True),
        ("windows_timezone", "Europe/Stockholm", True),
        ("windows_timezone", "UTC", False),
        ("stop_fraction", "0.01", True),
        ("max_daily_loss", "NaN", False),
        ("max_daily_loss", "much", False),
        ("windows", ["sometimes"], False),
    ],
)
def test_looser_is_known_from_stricter(name: str, value: Any, looser: bool) -> None:
    assert loosened(NOW, {f"risk.{name}": value}) == ((f"risk.{name}",) if looser else ())


def test_what_is_no_limit_is_an_admins() -> None:
    assert loosened(NOW, {"orders.dead_man_switch": True}) == ("orders.dead_man_switch",)


def test_every_limit_has_a_safer_side() -> None:
    """A new limit must be thought about; stops and targets have none."""
    assert {name for name in undecided() if not name.startswith(("stop_", "target_", "protect_"))} == set()
    assert Decimal(RiskSettings().max_drawdown) > 0
