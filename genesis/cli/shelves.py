"""What lies ready: the strategies that settings may name."""

from typing import Annotated

from cyclopts import App
from cyclopts import Parameter as Argument

from genesis.cli import printing
from genesis.cli.examples import epilogue
from genesis.cli.failures import CommandFailed
from genesis.cli.options import Reading, Where
from genesis.domain.strategy import Parameter

strategies = App(
    name="strategies",
    help_epilogue=epilogue("strategies"),
    help_format="markdown",
    help="The strategies that settings may name.",
)
_NO_PARAMETER = Parameter(name="-", default=0.0, low=0.0, high=0.0, whole=True, meaning="takes no parameters")


@strategies.command(name="list")
def list_strategies(*, reading: Reading | None = None) -> None:
    """Each strategy with its parameters: the shipped ones, and yours with what is wrong with them."""
    from genesis.domain.strategies import STRATEGY_KINDS
    from genesis.user_strategies import user_strategies

    reading = reading or Reading()
    own = user_strategies(reading.user_dir.strategies)
    broken = {name: kind.fault for name, kind in own.kinds.items() if kind.fault}
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
        (
            (kind.name, each.name, f"{each.default:g}", f"{each.low:g} to {each.high:g}", each.meaning)
            for kind in kinds
            for each in kind.parameters or (_NO_PARAMETER,)
        ),
        right=("default",),
    )
    for fault in broken.values():
        print(f"cannot be used: {fault}")


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
