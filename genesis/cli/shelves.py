"""What lies ready: the strategies that settings may name, and the parameters of those that an engine runs."""

from typing import Annotated, Any

from cyclopts import App
from cyclopts import Parameter as Argument

from genesis.cli import printing
from genesis.cli.examples import epilogue
from genesis.cli.failures import CommandFailed
from genesis.cli.options import Reading, Where
from genesis.cli.shadow import number, shadow
from genesis.domain.strategy import StrategyKind
from genesis.run_options import ExitCode

strategies = App(
    name="strategies",
    help_epilogue=epilogue("strategies"),
    help_format="markdown",
    help="The strategies that settings may name.",
)


@strategies.command(name="list")
def list_strategies(*, reading: Reading | None = None) -> None:
    """Each strategy with its parameters: the shipped ones, and yours with what is wrong with them."""
    from genesis.domain.strategies import STRATEGY_KINDS
    from genesis.user_strategies import user_strategies

    reading = reading or Reading()
    own = user_strategies(reading.user_dir.strategies)
    broken = {name: kind.fault for name, kind in own.kinds.items() if kind.fault}
    folder_fault = own.folder_fault
    kinds = sorted((kind for kind in STRATEGY_KINDS.values() if not kind.fault), key=lambda kind: kind.name)
    own.close()
    if reading.json:
        printing.print_json(
            [
                {
                    "kind": kind.name,
                    "version": kind.version,
                    "own": kind.foreign,
                    "text": kind.text,
                    "fault": "",
                    "parameters": [
                        {
                            "name": each.name,
                            "default": each.default,
                            "low": each.low,
                            "high": each.high,
                            "whole": each.whole,
                            "meaning": each.meaning,
                        }
                        for each in kind.parameters
                    ],
                }
                for kind in kinds
            ]
            + [
                {"kind": name, "version": 0, "own": True, "text": "", "fault": fault, "parameters": []}
                for name, fault in broken.items()
            ]
        )
        return
    printing.table(
        "strategies",
        ("strategy", "parameter", "default", "range", "meaning"),
        (row for kind in kinds for row in _parameter_rows(kind)),
        right=("default",),
    )
    for fault in broken.values():
        print(f"cannot be used: {fault}")
    if folder_fault:
        print(f"not all is read: {folder_fault}")


def _parameter_rows(kind: StrategyKind) -> list[tuple[str, ...]]:
    if not kind.parameters:
        return [(kind.name, "-", "-", "-", "takes no parameters")]
    return [
        (kind.name, each.name, f"{each.default:g}", f"{each.low:g} to {each.high:g}", each.meaning)
        for each in kind.parameters
    ]


@strategies.command(name="new")
def new_strategy(
    name: Annotated[str, Argument(help="Its name: 1 to 32 of a-z, 0-9 and _, a letter first.")],
    /,
    *,
    where: Where | None = None,
) -> None:
    """Write a commented strategy of your own into the user directory."""
    from genesis.domain.strategies import STRATEGY_KINDS
    from genesis.domain.strategies.probability_gated import NAME as GATED
    from genesis.strategy_template import TEMPLATE, class_name
    from genesis.user_strategies import FILE_NAME

    if FILE_NAME.fullmatch(name) is None:
        raise CommandFailed(f"NAME must be 1 to 32 of a-z, 0-9 and _, a letter first, was {name}")
    if name in STRATEGY_KINDS.shipped or name == GATED:
        raise CommandFailed(f"NAME must differ from the shipped strategies, was {name}")
    user_dir = (where or Where()).user_dir
    user_dir.create()
    path = user_dir.strategies / f"{name}.py"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE.replace("CLASS_NAME", class_name(name)).replace("KIND_NAME", name))
    except FileExistsError:
        raise CommandFailed(f"{path} must not exist yet, does") from None
    print(path)
    print(f"name it in config/strategies.json as the kind {name}; `genesis backtest` trades it on a recording")


@strategies.command
def show(
    name: Annotated[str, Argument(help="A strategy's name in the settings.")], /, *, reading: Reading | None = None
) -> None:
    """The parameters of a strategy of the engine that runs here: value, default, range and meaning."""
    from genesis.cli.client import Client

    reading = reading or Reading()
    told = Client(reading.user_dir, reading.port).get(f"/strategies/{name}")
    if reading.json:
        printing.print_json(told)
        return
    off = "" if told["enabled"] else ", not enabled"
    print(f"{told['strategy']}: {told['kind']} on {told['symbol']} {told['timeframe']}, version {told['version']}{off}")
    printing.table(
        "parameters",
        ("parameter", "value", "default", "range", "meaning"),
        (
            (
                each["path"],
                f"{each['value']:g}",
                f"{each['default']:g}",
                f"{'above ' if each['above'] else ''}{each['low']:g} to {each['high']:g}",
                each["meaning"],
            )
            for each in told["fields"]
        ),
        right=("value", "default"),
    )
    for text in (*told["faults"], told["blocked"]):
        if text:
            print(text)
    _print_holds(told["holds"])


@strategies.command(name="set")
def set_parameters(
    name: Annotated[str, Argument(help="A strategy's name in the settings.")],
    /,
    *parameters: Annotated[str, Argument(help="PARAMETER=NUMBER, or PARAMETER=default.")],
    preview: Annotated[bool, Argument(negative="", help="Tell what would change; nothing happens.")] = False,
    reason: Annotated[str, Argument(help="Why; it stands in the history.")] = "asked on the command line",
    version: Annotated[int | None, Argument(help="Only if this is the version in force.")] = None,
    reading: Reading | None = None,
) -> None:
    """Choose other parameters for a strategy that runs here; it speaks by them from the next candle on."""
    from genesis.cli.client import Client
    from genesis.cli.controls import who
    from web.tokens import Scope

    reading = reading or Reading()
    body: dict[str, object] = {"parameters": dict(map(number, parameters)), "reason": reason, "preview": preview}
    if not parameters:
        raise CommandFailed("PARAMETERS must name at least one, as fast=9", ExitCode.CONFIGURATION)
    if version is not None:
        body["expected_version"] = version
    client = Client(reading.user_dir, reading.port, scope=Scope.ADMIN, subject=who())
    told: Any = client.patch(f"/strategies/{name}", body)
    faults = [f"{each['path']} must be {each['must_be']}, was {each['was']}" for each in told["faults"]]
    if reading.json:
        printing.print_json(told)
    else:
        print(told["message"])
        for each in told["changes"]:
            print(f"{each['path']}: {each['old']:g} -> {each['new']:g}")
        _print_holds(told["holds"])
    if faults:
        raise CommandFailed("\n".join(faults), ExitCode.CONFIGURATION)


strategies.command(shadow, name="shadow")


@strategies.command
def enable(
    name: Annotated[str, Argument(help="A strategy's name in the settings.")],
    /,
    *,
    reason: Annotated[str, Argument(help="Why; it stands in the history.")] = "asked on the command line",
    reading: Reading | None = None,
) -> None:
    """Start a strategy that the settings name: it may enter from the next candle on."""
    _set_enabled(name, True, reason, reading or Reading())


@strategies.command
def disable(
    name: Annotated[str, Argument(help="A strategy's name in the settings.")],
    /,
    *,
    reason: Annotated[str, Argument(help="Why; it stands in the history.")] = "asked on the command line",
    reading: Reading | None = None,
) -> None:
    """End a strategy. What it holds is sold by its stop alone, until `genesis adopt` gives it to another."""
    _set_enabled(name, False, reason, reading or Reading())


def _set_enabled(name: str, enabled: bool, reason: str, reading: Reading) -> None:
    from genesis.cli.client import Client
    from genesis.cli.controls import who
    from web.tokens import Scope

    client = Client(reading.user_dir, reading.port, scope=Scope.ADMIN, subject=who())
    told: Any = client.patch(f"/strategies/{name}", {"enabled": enabled, "reason": reason})
    if reading.json:
        printing.print_json(told)
        return
    print(told["message"])
    if enabled and told["own_history"]:
        print(f"it needs {told['needs']} candles, more than are kept: it waits for its own history")
    _print_holds(told["holds"])
    if not enabled and told["holds"]:
        print(f"only the stop sells that now; genesis adopt {name} gives it to another")


def _print_holds(holds: list[dict[str, Any]]) -> None:
    for each in holds:
        levels = f"stop {each['stop_price'] or '-'}, target {each['target_price'] or '-'}"
        print(f"it holds {each['quantity']} of {each['symbol']}: the position stays, with its {levels}")
