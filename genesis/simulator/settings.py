"""What one simulated exchange is: its customers and keys, its habits on the wire, how it fills."""

from decimal import Decimal
from pathlib import Path
from typing import Final

import attrs

from genesis.domain.matching import FillModel

DEFAULT_KEY: Final = "genesis-sim-key"
DEFAULT_SECRET: Final = "genesis-sim-secret"  # noqa: S105 - a key of the simulator opens nothing
SCOPES: Final = (
    "account",
    "history",
    "orders",
    "positions",
    "funding",
    "settings",
    "wallets",
    "withdraw",
    "ui_withdraw",
)
READ_ONLY: Final = {scope: (True, False) for scope in SCOPES}
TRADE: Final = {
    scope: (True, scope in ("orders", "positions", "funding", "settings", "wallets")) for scope in SCOPES
} | {
    "withdraw": (False, False),
    "ui_withdraw": (False, False),
}
EVERYTHING: Final = {scope: (True, True) for scope in SCOPES}
"""With withdrawals: a careful engine refuses such a key."""


@attrs.frozen(kw_only=True)
class ApiKey:
    """`permissions` maps a scope to (read, write)."""

    key: str
    secret: str = attrs.field(repr=False)
    account: str
    permissions: dict[str, tuple[bool, bool]] = attrs.field(factory=lambda: dict(TRADE))

    def may(self, scope: str, *, write: bool) -> bool:
        return self.permissions.get(scope, (False, False))[1 if write else 0]


@attrs.frozen(kw_only=True)
class AccountTerms:
    """A customer at the start: (wallet type, currency, balance), and fees as fractions."""

    name: str
    balances: tuple[tuple[str, str, Decimal], ...] = (("exchange", "USD", Decimal(10_000)),)
    maker_fee: Decimal = Decimal("0.001")
    taker_fee: Decimal = Decimal("0.002")
    paper: bool = False


@attrs.frozen(kw_only=True)
class ExchangeSettings:
    """Defaults are the venue's own habits. `state` names the file in which accounts survive a crash of the process.

    `rest_limits` counts requests a minute as the venue does (off: tests and other people's clients ask in bursts);
    `idle_close_s` closes sockets without a subscription; `ticker_length` is 10, or 11 as the venue sends since 2026.
    """

    accounts: tuple[AccountTerms, ...] = (AccountTerms(name="sim"),)
    keys: tuple[ApiKey, ...] = (ApiKey(key=DEFAULT_KEY, secret=DEFAULT_SECRET, account="sim"),)
    model: FillModel = attrs.field(factory=FillModel)
    state: Path | None = None
    channel_limit: int = 30
    ticker_length: int = 10
    heartbeat_s: float = 15.0
    idle_close_s: float | None = None
    rest_limits: bool = False
    number_notices: bool = False


def demo_settings() -> ExchangeSettings:
    """For the stand-alone process: three customers, one of them on paper, and a key that may withdraw."""
    rich = (
        ("exchange", "USD", Decimal(100_000)),
        ("exchange", "BTC", Decimal(10)),
        ("exchange", "ETH", Decimal(100)),
        ("margin", "USD", Decimal(50_000)),
        ("funding", "USD", Decimal(50_000)),
        ("exchange", "UST", Decimal(20_000)),
        ("margin", "USTF0", Decimal(10_000)),
    )
    paper = (
        ("exchange", "TESTUSD", Decimal(50_000)),
        ("exchange", "TESTBTC", Decimal(2)),
        ("margin", "TESTUSD", Decimal(50_000)),
        ("margin", "TESTUSDTF0", Decimal(10_000)),
    )
    return ExchangeSettings(
        accounts=(
            AccountTerms(name="sim"),
            AccountTerms(name="alice", balances=rich),
            AccountTerms(name="bob", balances=rich),
            AccountTerms(name="paper", balances=paper, paper=True),
        ),
        keys=(
            ApiKey(key=DEFAULT_KEY, secret=DEFAULT_SECRET, account="sim"),
            ApiKey(key="alice-key", secret="alice-secret", account="alice"),  # noqa: S106
            ApiKey(key="alice-key-2", secret="alice-secret-2", account="alice"),  # noqa: S106
            ApiKey(key="alice-read", secret="alice-read-secret", account="alice", permissions=dict(READ_ONLY)),  # noqa: S106
            ApiKey(key="bob-key", secret="bob-secret", account="bob"),  # noqa: S106
            ApiKey(key="bob-withdraw", secret="bob-withdraw-secret", account="bob", permissions=dict(EVERYTHING)),  # noqa: S106
            ApiKey(key="paper-key", secret="paper-secret", account="paper"),  # noqa: S106
        ),
    )
