"""What the venue counts of markets: asked by the engine that runs, when you ask it."""

from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from genesis.cli import printing
from genesis.cli.examples import epilogue
from genesis.cli.options import Reading

market = App(
    name="market",
    help="What the venue counts of a market beside its prices.",
    help_format="markdown",
    help_epilogue=epilogue("market"),
)

Symbol = Annotated[str, Parameter(help="A symbol, such as tBTCUSD.")]
Limit = Annotated[int, Parameter(help="At most this many, newest first.")]


def _get(reading: Reading, path: str, **query: object) -> Any:
    from genesis.cli.client import Client

    return Client(reading.user_dir, reading.port).get(path, **query)


@market.command
def interest(symbol: Symbol, /, *, limit: Limit = 10, reading: Reading | None = None) -> None:
    """Open interest: how much all long and all short positions on margin hold, minute by minute."""
    reading = reading or Reading()
    told = _get(reading, "/market/interest", symbol=symbol, limit=limit)
    if reading.json:
        printing.print_json(told)
        return
    shorts = {each["time_ms"]: each["value"] for each in told["shorts"]}
    printing.table(
        f"open interest of {symbol}",
        ("time", "longs", "shorts", "longs share"),
        (
            (printing.when(each["time_ms"]), *_sizes(each["value"], shorts.get(each["time_ms"])))
            for each in told["longs"]
        ),
        right=("longs", "shorts", "longs share"),
    )


def _sizes(longs: float, shorts: float | None) -> tuple[str, str, str]:
    if shorts is None or longs + shorts == 0:
        return f"{longs:,.2f}", "", ""
    return f"{longs:,.2f}", f"{shorts:,.2f}", f"{longs / (longs + shorts):.1%}"


@market.command
def liquidations(
    symbol: Annotated[str | None, Parameter(help="Only this pair and the contract on it.")] = None,
    /,
    *,
    limit: Limit = 25,
    reading: Reading | None = None,
) -> None:
    """Positions that the venue took over."""
    reading = reading or Reading()
    told = _get(reading, "/market/liquidations", symbol=symbol, limit=limit)
    if reading.json:
        printing.print_json(told)
        return
    printing.table(
        "liquidations",
        ("time", "symbol", "was", "amount", "entered at", "taken at"),
        (
            (
                printing.when(each["time_ms"]),
                each["symbol"],
                "long" if each["amount"] > 0 else "short",
                printing.number(abs(each["amount"])),
                printing.number(each["base_price"]),
                printing.number(each["price"]),
            )
            for each in told["liquidations"]
        ),
        right=("amount", "entered at", "taken at"),
    )


@market.command
def rankings(
    symbol: Annotated[str, Parameter(help="A symbol; profit is ranked over all markets.")] = "tGLOBAL:USD",
    /,
    *,
    key: Annotated[
        Literal["vol", "plu", "plu_diff", "plr"],
        Parameter(help="vol: volume; plu: open profit; plu_diff: its change; plr: profit that was taken."),
    ] = "vol",
    timeframe: Annotated[Literal["3h", "1w", "1M"], Parameter(help="Over how long.")] = "1w",
    limit: Limit = 25,
    reading: Reading | None = None,
) -> None:
    """The venue's leader boards."""
    reading = reading or Reading()
    told = _get(reading, "/market/rankings", symbol=symbol, key=key, timeframe=timeframe, limit=limit)
    if reading.json:
        printing.print_json(told)
        return
    printing.table(
        f"{key} {timeframe} {symbol}",
        ("rank", "trader", "value", "since"),
        (
            (each["rank"], each["user_name"], f"{each['value']:,.2f}", printing.when(each["time_ms"]))
            for each in told["rankings"]
        ),
        right=("rank", "value"),
    )


@market.command
def lending(
    symbol: Annotated[str, Parameter(help="A funding symbol, such as fUSD.")] = "fUSD",
    /,
    *,
    limit: Limit = 24,
    reading: Reading | None = None,
) -> None:
    """How much of a currency is lent and used, and at which rate, hour by hour."""
    reading = reading or Reading()
    told = _get(reading, "/market/lending", symbol=symbol, limit=limit)
    if reading.json:
        printing.print_json(told)
        return
    printing.table(
        f"lending of {symbol}",
        ("time", "lent", "used", "rate a day", "days"),
        (
            (
                printing.when(each["time_ms"]),
                f"{each['amount']:,.0f}",
                f"{each['amount_used']:,.0f}",
                f"{each['flash_return_rate'] * 365:.4%}",
                f"{each['average_period']:.1f}",
            )
            for each in told["statistics"]
        ),
        right=("lent", "used", "rate a day", "days"),
    )


@market.command
def price(
    symbol: Symbol,
    side: Annotated[Literal["buy", "sell"], Parameter(help="Buy or sell.")],
    quantity: Annotated[str, Parameter(help="How much, base currency.")],
    /,
    *,
    reading: Reading | None = None,
) -> None:
    """What a market order of this size would get of the book now."""
    reading = reading or Reading()
    told = _get(reading, "/market/average-price", symbol=symbol, side=side, quantity=quantity)
    if reading.json:
        printing.print_json(told)
    else:
        print(f"{side} {printing.number(told['quantity'])} {symbol} at {printing.number(told['price'])} on average")
