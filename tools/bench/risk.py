"""What risk costs a signal: one that asks for nothing, and an entry judged by every rule.

python -m tools.bench.risk [rounds]
"""

import sys
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from genesis.domain.pairs import pair_specs
from genesis.domain.risk_machine import RiskMachine
from protocols.risk import AccountState, WalletView
from protocols.settings import Settings
from protocols.signals import Recommendation, SignalScore
from protocols.units import ZERO, Symbol
from tools.bench._figures import tell

SCORES: Final = 3_000
FIRST_MS: Final = 1_542_067_200_000
SYMBOL: Final = Symbol("tBTCUSD")


def account() -> AccountState:
    cash = Decimal(10_000)
    return AccountState(
        known=True,
        version=1,
        quote_currency="USD",
        equity=cash,
        cash=cash,
        realized_pnl=ZERO,
        unrealized_pnl=ZERO,
        fees=ZERO,
        wallets=(WalletView(wallet_type="exchange", currency="USD", balance=cash, available=cash),),
        positions=(),
        closed_intents=(),
        closed_count=0,
        mismatched_symbols=(),
        as_of_ms=FIRST_MS,
    )


def scores(recommendation: Recommendation) -> list[SignalScore]:
    return [
        SignalScore(
            signal_id=f"bench:{SYMBOL}:1m:{open_ms}",
            strategy="bench",
            symbol=SYMBOL,
            timeframe="1m",
            candle_open_ms=open_ms,
            decided_ms=open_ms + 60_000,
            price=6000.0 + open_ms // 60_000 % 100,
            recommendation=recommendation,
            confidence=0.9,
            probability=0.9,
            source="bench/1",
            features={"atr": 12.5},
            reasons=("bench",),
            catch_up=False,
            correlation_id=f"{SYMBOL}:1m:{open_ms}",
            received_ns=1,
        )
        for open_ms in range(FIRST_MS, FIRST_MS + SCORES * 60_000, 60_000)
    ]


def microseconds(told: Sequence[SignalScore]) -> float:
    machine = RiskMachine(Settings(), pair_specs([SYMBOL]))
    machine.on_account(account())
    began = time.process_time()
    for score in told:
        machine.on_score(score)
    return (time.process_time() - began) / len(told) * 1e6


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    holds, buys = scores(Recommendation.HOLD), scores(Recommendation.BUY)
    for _ in range(rounds):
        tell("risk, a signal that asks for nothing", microseconds(holds), "us")
        tell("risk, an entry judged by all rules", microseconds(buys), "us")
    return 0


if __name__ == "__main__":
    sys.exit(main())
