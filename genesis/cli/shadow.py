"""`genesis strategies shadow`: run a strategy on paper beside the live ones, and how that does beside them."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from cyclopts import Parameter

from genesis.cli import printing
from genesis.cli.failures import CommandFailed
from genesis.cli.options import Reading
from genesis.run_options import ExitCode


def _win_rate(side: Any) -> str:
    return f"{side['won'] / side['trades']:.0%}" if side["trades"] else "-"


def _money(text: str) -> str:
    return f"{Decimal(text):.2f}"


FIGURES: Final[tuple[tuple[str, Callable[[Any], str]], ...]] = (
    ("closed trades", lambda side: str(side["trades"])),
    ("win rate", _win_rate),
    ("profit after fees", lambda side: _money(side["pnl"])),
    ("of closed trades", lambda side: _money(side["closed_pnl"])),
    ("fees", lambda side: _money(side["fees"])),
    ("drawdown", lambda side: _money(side["drawdown"])),
    ("open positions", lambda side: str(side["open"])),
    ("entries judged", lambda side: str(side["decisions"])),
    ("entries refused", lambda side: str(side["refusals"])),
)


def shadow(
    name: Annotated[str, Parameter(help="A strategy's name in the settings, or a new one.")],
    /,
    *parameters: Annotated[str, Parameter(help="PARAMETER=NUMBER, or PARAMETER=default.")],
    kind: Annotated[str | None, Parameter(help="Another kind than the live one's; of a new one its kind.")] = None,
    symbol: Annotated[str | None, Parameter(help="What a new one trades.")] = None,
    timeframe: Annotated[str | None, Parameter(help="By which candles a new one decides.")] = None,
    metric: Annotated[str, Parameter(help="loss, drawdown, losing_trades or refusal_rate.")] = "loss",
    threshold: Annotated[float, Parameter(help="The metric may be so much at most.")] = 0.05,
    against_live: Annotated[
        bool, Parameter(negative="", help="The threshold is for the difference to the live side.")
    ] = False,
    duration: Annotated[float, Parameter(help="Seconds of the venue's time until it has proven itself.")] = 604_800.0,
    trades: Annotated[int, Parameter(help="Or so many closed trades, when that comes first; 0: only time.")] = 0,
    min_trades: Annotated[int, Parameter(help="Closed trades that it takes to be proven.")] = 10,
    automatic: Annotated[
        bool, Parameter(negative="", help="Promote it by itself when it is proven; else a person does.")
    ] = False,
    cash: Annotated[str | None, Parameter(help="Quote currency to begin with; else what the account is worth.")] = None,
    preview: Annotated[bool, Parameter(negative="", help="Tell what would differ; nothing happens.")] = False,
    reason: Annotated[str, Parameter(help="Why; it stands in the history.")] = "asked on the command line",
    reading: Reading | None = None,
) -> None:
    """Run a strategy with other parameters, another kind, or a new one, on paper beside the live ones.

    It hears the same market and never sends an order. `genesis config rollout status` compares it with the live side,
    `genesis config rollout promote` and `revert` end it.
    """
    from genesis.cli.client import Client
    from genesis.cli.controls import who
    from web.tokens import Scope

    reading = reading or Reading()
    body: dict[str, object] = {
        "parameters": dict(map(number, parameters)),
        "metric": metric,
        "threshold": threshold,
        "against_live": against_live,
        "duration_s": duration,
        "min_trades": min_trades,
        "trades": trades,
        "automatic": automatic,
        "preview": preview,
        "reason": reason,
    }
    given = {"kind": kind, "symbol": symbol, "timeframe": timeframe, "cash": cash}
    body |= {key: value for key, value in given.items() if value is not None}
    client = Client(reading.user_dir, reading.port, scope=Scope.ADMIN, subject=who())
    told: Any = client.post(f"/strategies/{name}/shadow", body)
    if reading.json:
        printing.print_json(told)
    else:
        print(told["message"])
        for each in told["changes"]:
            print(f"{each['path']}: live {each['old']:g}, on paper {each['new']:g}")
        if told["own_history"]:
            print(f"it needs {told['needs']} candles, more than are kept: it waits for its own history")
    faults = [f"{each['path']} must be {each['must_be']}, was {each['was']}" for each in told["faults"]]
    if faults:
        raise CommandFailed("\n".join(faults), ExitCode.CONFIGURATION)


def tell(told: Any) -> None:
    """A paper shadow beside the live side, as `/config/rollout` tells it."""
    status, book = told["status"], told["shadow"]
    plan, paper = status["rollout"]["plan"], status["paper"]
    value = "nothing yet" if status["value"] is None else f"{status['value']:.4g}"
    control = "" if status["control"] is None else f", live {status['control']:.4g}"
    print(f"{plan['name']} of {', '.join(paper['strategies'])}, counted since {_time(paper['since_ms'])}")
    if paper["again"]:
        print(f"it had to begin anew: {paper['again']}")
    printing.table(
        "on paper beside live",
        ("figure", "shadow", "live"),
        ((words, show(paper["shadow"]), show(paper["live"])) for words, show in FIGURES),
        right=("shadow", "live"),
    )
    print(f"{plan['metric']} {value} of at most {plan['threshold']:g}{control}; {status['samples']} samples")
    if book is not None:
        late = f", {book['lag_ms'] / 1000:.0f} s behind the market" if book["lag_ms"] > 60_000 else ""
        print(f"paper account: {_money(book['equity'])} of {_money(paper['cash'])}{late}")
    if status["proven"] and not status["verdict"]:
        print(f"it may be promoted: {status['proven']}")
    print(status["verdict"] or f"until {_time(status['ends_ms'])} of the venue's time")


def number(text: str) -> tuple[str, float | None]:
    """PARAMETER=NUMBER, or PARAMETER=default. Raises CommandFailed."""
    path, equals, said = text.partition("=")
    if said == "default":
        return path, None
    try:
        value = float(said) if equals else math.nan
    except ValueError:
        value = math.nan
    if not path or not math.isfinite(value):
        raise CommandFailed(
            f"a parameter must be PARAMETER=NUMBER or PARAMETER=default, was {text}", ExitCode.CONFIGURATION
        )
    return path, value


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
