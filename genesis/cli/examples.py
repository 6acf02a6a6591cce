"""What stands under the help of each command: examples that can be said as they are, and the exit codes."""

from collections.abc import Mapping
from typing import Final

EXIT_CODES: Final = "Exit codes: 0 ok, 1 error, 2 not found, 3 not running, 4 configuration, 5 time-out."
GROUPS: Final = frozenset({"account", "alerts", "backup", "config", "data", "drill", "market", "model", "strategies"})
"""Commands with commands below them."""

EXAMPLES: Final[Mapping[str, tuple[str, ...]]] = {
    "run": ("genesis run --speed max", "genesis run --mode paper --port 8001", "genesis run --mode live --live"),
    "backtest": (
        "genesis backtest --data tBTCUSD:1m --from 2018-01-01 --to 2019-01-01 --save year",
        "genesis backtest --costs live --json",
    ),
    "optimize": ("genesis optimize --data tBTCUSD:1m --vary btc-ema.fast=5:30 --trials 200 --name first",),
    "walkforward": ("genesis walkforward --data tBTCUSD:1m --train 60 --test 20 --vary btc-ema.fast=5:30",),
    "report": ("genesis report first", "genesis report year --png year.png", "genesis report year --again"),
    "parity": ("genesis parity",),
    "replay": ("genesis replay", "genesis replay --mode live --json"),
    "chaos": ("genesis chaos --seed 604 --hours 0.4 --trace", "genesis chaos --seeds 200 --jobs 0"),
    "simulator": ("genesis simulator --speed 60",),
    "status": ("genesis status --watch", "genesis status --json"),
    "actors": ("genesis actors", "genesis actors --dead-letters"),
    "orders": ("genesis orders", "genesis orders --json"),
    "positions": ("genesis positions --json",),
    "trades": ("genesis trades --json",),
    "account": (
        "genesis account movements --currency USD",
        "genesis account logins",
        "genesis account transfer 100 USD exchange margin",
    ),
    "alerts": ("genesis alerts set tBTCUSD 9000", "genesis alerts list", "genesis alerts drop tBTCUSD 9000"),
    "market": (
        "genesis market interest tBTCUSD",
        "genesis market liquidations tBTCUSD --json",
        "genesis market price tBTCUSD buy 2",
    ),
    "why": ("genesis why tBTCUSD", "genesis why --code max_daily_loss --json"),
    "halt": ('genesis halt --reason "news at 14:30"',),
    "tax": ("genesis tax 2026 --out 2026.csv", "genesis tax 2026 --kind trades --timezone Europe/Stockholm --csv"),
    "resume": ("genesis resume",),
    "flatten": ("genesis flatten", "genesis flatten tBTCUSD"),
    "adopt": ("genesis adopt old-name new-name", "genesis adopt old-name manual tBTCUSD"),
    "drill": ("genesis drill restart --times 3 --after 20",),
    "logs": ("genesis logs --follow --filter order", "genesis logs --json"),
    "backup": ("genesis backup take /srv/backups --keep 14", "genesis backup verify /srv/backups/20261127T030000Z"),
    "token": ("genesis token --scope trade", "genesis token --link"),
    "config": ("genesis config keys loss", "genesis config set risk.max_daily_loss 0.03", "genesis config history"),
    "doctor": ("genesis doctor", "genesis doctor --offline --json"),
    "model": ("genesis model train BTCUSD-1m-2018.csv.gz --timeframe 1h", "genesis model show"),
    "strategies": (
        "genesis strategies list",
        "genesis strategies show btc-ema",
        'genesis strategies set btc-ema fast=9 slow=default --reason "quicker"',
        "genesis strategies shadow btc-ema fast=9 slow=30 --trades 20 --threshold 0.03",
        'genesis strategies disable eth-ema --reason "enough of it"',
        "genesis strategies enable eth-ema",
        "genesis strategies new mine",
    ),
    "data": ("genesis data import BTCUSD-1m-2018.csv.gz", "genesis data list"),
}


def epilogue(name: str) -> str:
    """The end of a command's help, in Markdown."""
    lines = "\n".join(EXAMPLES[name])
    return f"Examples:\n\n```\n{lines}\n```\n\n{EXIT_CODES}"
