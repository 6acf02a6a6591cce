"""Commands that look at the running engine."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from genesis.cli import printing
from genesis.cli.failures import CommandFailed
from genesis.cli.options import Reading
from genesis.run_options import ExitCode

Symbol = Annotated[str | None, Parameter(help="Only this symbol, such as tBTCUSD.")]
Limit = Annotated[int, Parameter(help="At most this many, newest first.")]


def _get(reading: Reading, path: str, **query: object) -> Any:
    from genesis.cli.client import Client

    return Client(reading.user_dir, reading.port).get(path, **query)


def status(reading: Reading | None = None) -> None:
    """Mode, venue time, replay progress, equity and trading state."""
    reading = reading or Reading()
    from genesis.cli.client import Client

    client = Client(reading.user_dir, reading.port)
    engine, risk = client.get("/status"), client.get("/risk/unified/status")
    try:
        wallets = client.get("/wallets")
    except CommandFailed:
        # The venue has not told the first wallet yet: the status is of use all the same.
        wallets = None
    if reading.json:
        printing.print_json({"status": engine, "risk": risk["risk"], "wallets": wallets})
        return
    replay = engine["replay"]
    rows: list[tuple[str, object]] = [
        ("mode", f"{engine['mode']}{' (dev)' if engine['dev'] else ''}"),
        ("state", engine["state"]),
        ("address", client.address),
        ("version", engine["version"]),
        ("up", printing.span(engine["uptime_s"])),
        ("venue time", printing.when(engine["venue_ms"])),
        ("settings version", engine["settings_version"]),
    ]
    if replay is not None:
        rows.append(("replay", f"{replay['fraction']:.1%} of {replay['recording']}, speed {engine['speed']}"))
    if wallets is not None and wallets["known"]:
        realized, unrealized = printing.money(wallets["realized_pnl"]), printing.money(wallets["unrealized_pnl"])
        rows.append(("equity", f"{printing.money(wallets['equity'])} {wallets['quote_currency']}"))
        rows.append(("profit and loss", f"realized {realized}, open {unrealized}"))
    if risk["risk"] is not None:
        trading = risk["risk"]
        # Why trading was allowed again is history; why it is not is what one wants to know.
        reason = f" ({trading['reason']})" if trading["reason"] and trading["state"] != "ACTIVE" else ""
        rows.append(("trading", f"{trading['state']}{reason}{', paused' if trading['paused'] else ''}"))
        rows.append(("trades today", trading["trades_today"]))
    printing.pairs(rows)


def _walk(actor: Mapping[str, Any], depth: int = 0) -> list[tuple[int, Mapping[str, Any]]]:
    return [(depth, actor), *(each for child in actor["children"] for each in _walk(child, depth + 1))]


def actors(reading: Reading | None = None) -> None:
    """The supervision tree: what runs, how often it fell, and how full its mailboxes are."""
    reading = reading or Reading()
    answer = _get(reading, "/actors")
    if reading.json:
        printing.print_json(answer)
        return
    nodes = _walk(answer["tree"]) if answer["tree"] is not None else []
    printing.table(
        "actors",
        ("actor", "status", "restarts", "waiting", "last error"),
        (
            (
                "  " * depth + actor["name"],
                actor["status"],
                actor["restarts"],
                sum(channel["depth"] + channel["leased"] for channel in actor["channels"]),
                actor["last_error"],
            )
            for depth, actor in nodes
        ),
        right=("restarts", "waiting"),
    )
    printing.table(
        "connections",
        ("connection", "status", "session", "reconnects", "frames", "last error"),
        (
            (each["name"], each["status"], each["session"], each["reconnects"], each["frames"], each["last_error"])
            for each in answer["connections"]
        ),
        right=("session", "reconnects", "frames"),
    )


def orders(
    *,
    symbol: Symbol = None,
    state: Annotated[Literal["open", "closed", "all"], Parameter(help="Which orders.")] = "all",
    limit: Limit = 50,
    reading: Reading | None = None,
) -> None:
    """Orders with their state and the reason for it."""
    reading = reading or Reading()
    answer = _get(reading, "/orders", symbol=symbol, state=state, limit=limit)
    if reading.json:
        printing.print_json(answer)
        return
    printing.table(
        f"orders ({answer['total']})",
        ("time", "symbol", "side", "type", "quantity", "filled", "at", "state", "purpose", "intent", "reason"),
        (
            (
                printing.when(each["created_ms"]),
                each["symbol"],
                each["side"],
                each["order_type"],
                printing.number(each["quantity"]),
                printing.number(each["filled_quantity"]),
                "" if not float(each["average_fill_price"]) else printing.number(each["average_fill_price"]),
                each["state"],
                each["purpose"],
                each["intent_id"],
                each["reason"],
            )
            for each in answer["orders"]
        ),
        right=("quantity", "filled", "at"),
    )


def positions(reading: Reading | None = None) -> None:
    """What is held of each symbol, and what it is worth."""
    reading = reading or Reading()
    answer = _get(reading, "/positions")
    if reading.json:
        printing.print_json(answer)
        return
    amounts = ("quantity", "average_price", "mark_price")
    money = ("notional", "unrealized_pnl", "realized_pnl", "fees")
    columns = [column.replace("_", " ") for column in (*amounts, *money)]
    printing.table(
        "positions",
        ("symbol", *columns),
        (
            (
                each["symbol"],
                *(printing.number(each[column]) for column in amounts),
                *(printing.money(each[column]) for column in money),
            )
            for each in answer["positions"]
        ),
        right=columns,
    )


def trades(*, symbol: Symbol = None, limit: Limit = 50, reading: Reading | None = None) -> None:
    """Our own trades with their fees."""
    reading = reading or Reading()
    answer = _get(reading, "/trades", symbol=symbol, limit=limit)
    if reading.json:
        printing.print_json(answer)
        return
    printing.table(
        f"trades ({answer['total']})",
        ("time", "symbol", "side", "quantity", "price", "fee", "purpose", "strategy", "intent"),
        (
            (
                printing.when(each["time_ms"]),
                each["symbol"],
                each["side"],
                printing.number(each["quantity"]),
                printing.number(each["price"]),
                f"{printing.number(each['fee'])} {each['fee_currency']}",
                each["purpose"],
                each["strategy"],
                each["intent_id"],
            )
            for each in answer["trades"]
        ),
        right=("quantity", "price", "fee"),
    )


def why(
    about: Annotated[str, Parameter(help="A signal, intent or correlation id, an order's number, or a symbol.")],
    /,
    *,
    limit: Limit = 5,
    reading: Reading | None = None,
) -> None:
    """Which rule said what about a signal or an order."""
    reading = reading or Reading()
    from genesis.cli.client import Client

    found = _decisions(Client(reading.user_dir, reading.port), about, limit)
    if not found:
        raise CommandFailed(f"no decision is known about {about}", ExitCode.NOT_FOUND)
    if reading.json:
        printing.print_json({"decisions": found})
        return
    for verdict in found:
        wish = verdict["intent"]
        side = f"{verdict['side']} " if verdict["side"] else ""
        what = f"{wish['side']} {wish['quantity']} {wish['symbol']}" if wish else f"{side}{verdict['symbol']}"
        moment = printing.when(verdict["decided_ms"])
        print(f"{moment}  {_outcome(verdict)}: {what}  [{verdict['strategy']}]  {verdict['verdict_id']}")
        for line in _because(verdict):
            print(f"  {line}")
        for rule in verdict["trace"]:
            numbers = ", ".join(f"{name} {number}" for name, number in rule["numbers"].items() if number != "")
            print(f"  {'pass  ' if rule['passed'] else 'REFUSE'}  {rule['rule']:<24} {numbers}")
        print()


def _because(verdict: Mapping[str, Any]) -> list[str]:
    """Every refusal as a sentence with what to do about it; one line when all rules passed."""
    import msgspec

    from genesis.domain.risk_codes import advice, sentence
    from protocols.risk import RuleResult

    refused = [msgspec.convert(rule, RuleResult) for rule in verdict["trace"] if not rule["passed"]]
    if not refused:
        return [f"because all {len(verdict['trace'])} rules passed"]
    return [f"because {sentence(result)}. {advice(result)}".rstrip() for result in refused]


def _outcome(verdict: Mapping[str, Any]) -> str:
    """An exit while nothing is held is no refusal: the strategy speaks of the market, not of our position."""
    if verdict["approved"]:
        return "approved"
    codes = [rule["code"] for rule in verdict["trace"] if not rule["passed"]]
    if codes == ["nothing_to_reduce"]:
        return f"nothing held, nothing to {verdict['side'] or 'close'}"
    return "refused"


def _decisions(client: Any, about: str, limit: int) -> list[Any]:
    """By signal, by correlation, by symbol; else by the order that the id names."""
    if about.startswith("t") and about[1:].replace(":", "").isalnum() and about[1:].isupper():
        return list(client.get("/decisions", symbol=about, limit=limit)["decisions"])
    # An intent's id is its signal's with the purpose behind it.
    for name, value in (
        ("signal_id", about),
        ("correlation_id", about),
        ("signal_id", about.rpartition(":")[0]),
        # A manual order's own name, as it was given to the API.
        ("correlation_id", f"manual:{about}"),
    ):
        if value and (found := client.get("/decisions", limit=limit, **{name: value})["decisions"]):
            return list(found)
    for order in client.get("/orders", limit=1000)["orders"]:
        if about in (str(order["cid"]), str(order["venue_id"]), order["intent_id"]):
            return list(client.get("/decisions", correlation_id=order["correlation_id"], limit=limit)["decisions"])
    return []
