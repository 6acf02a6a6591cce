"""Commands that look at the running engine."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import Parameter

from genesis.cli import printing
from genesis.cli.failures import CommandFailed, NotRunning
from genesis.cli.options import Reading, newest_of
from genesis.run_options import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from genesis.cli.client import Client

Symbol = Annotated[str | None, Parameter(help="Only this symbol, such as tBTCUSD.")]
Limit = Annotated[int, Parameter(help="At most this many, newest first.")]
ACCOUNT_LINE: Final = "connection_private"


def _get(reading: Reading, path: str, **query: object) -> Any:
    from genesis.cli.client import Client

    return Client(reading.user_dir, reading.port).get(path, **query)


def status(
    *,
    watch: Annotated[bool, Parameter(negative="", help="Go on showing it, twice a second, until Ctrl-C.")] = False,
    reading: Reading | None = None,
) -> None:
    """Mode, venue time, replay progress, equity and trading state."""
    reading = reading or Reading()
    from genesis.cli.client import Client

    client = Client(reading.user_dir, reading.port)
    if watch:
        printing.watch(lambda: _status_rows(client), title="genesis status")
        return
    if reading.json:
        engine, risk, wallets = _asked(client)
        printing.print_json({"status": engine, "risk": None if risk is None else risk["risk"], "wallets": wallets})
        return
    printing.pairs(_status_rows(client))


def _asked(client: "Client") -> tuple[Any, Any, Any]:
    engine = client.get("/status")
    if engine.get("waits") is not None:
        # There is nobody yet who could say more.
        return engine, None, None
    risk = client.get("/risk/unified/status")
    try:
        wallets = client.get("/wallets")
    except CommandFailed:
        # The venue has not told the first wallet yet: the status is of use all the same.
        wallets = None
    return engine, risk, wallets


def _status_rows(client: "Client") -> list[tuple[str, object]]:
    engine, risk, wallets = _asked(client)
    replay = engine["replay"]
    rows: list[tuple[str, object]] = [
        ("mode", f"{engine['mode']}{' (dev)' if engine['dev'] else ''}"),
        ("state", engine["state"]),
        ("address", client.address),
        ("version", engine["version"]),
        ("up", printing.span(engine["uptime_s"])),
    ]
    if engine.get("waits") is not None:
        return rows + _waits_rows(engine["waits"])
    rows += [
        ("venue time", printing.when(engine["venue_ms"])),
        ("settings version", engine["settings_version"]),
    ]
    line = next((one for one in client.get("/actors")["connections"] if one["name"] == ACCOUNT_LINE), None)
    if line is not None and line["status"] not in ("up", "idle"):
        why = f" ({line['last_error']})" if line["last_error"] else ""
        rows.append(("account's line", f"{line['status']}{why}"))
    if replay is not None:
        rows.append(("replay", f"{replay['fraction']:.1%} of {replay['recording']}, speed {engine['speed']}"))
    if wallets is not None and wallets["known"]:
        realized, unrealized = printing.money(wallets["realized_pnl"]), printing.money(wallets["unrealized_pnl"])
        rows.append(("equity", f"{printing.money(wallets['equity'])} {wallets['quote_currency']}"))
        rows.append(("profit and loss", f"realized {realized}, open {unrealized}"))
    if risk is not None and risk["risk"] is not None:
        trading = risk["risk"]
        # Why trading was allowed again is history; why it is not is what one wants to know.
        reason = f" ({trading['reason']})" if trading["reason"] and trading["state"] != "ACTIVE" else ""
        rows.append(("trading", f"{trading['state']}{reason}{', paused' if trading['paused'] else ''}"))
        rows.append(("trades today", trading["trades_today"]))
    return rows


def _waits_rows(waits: Mapping[str, Any]) -> list[tuple[str, object]]:
    """What a start waits for: nothing is traded, and nothing else can be asked, until it has it."""
    from web.waiting import WORDS

    rows: list[tuple[str, object]] = [
        ("waits for", WORDS.get(waits["what"], waits["what"])),
        ("since", printing.when(waits["since_ms"])),
    ]
    return [*rows, ("reason", waits["reason"])] if waits["reason"] else rows


def _walk(actor: Mapping[str, Any], depth: int = 0) -> list[tuple[int, Mapping[str, Any]]]:
    return [(depth, actor), *(each for child in actor["children"] for each in _walk(child, depth + 1))]


def actors(
    *,
    dead_letters: Annotated[
        bool, Parameter(negative="", help="Show the messages that were put aside, and why, instead of the tree.")
    ] = False,
    reading: Reading | None = None,
) -> None:
    """The supervision tree: what runs, how often it fell, and how full its mailboxes are."""
    reading = reading or Reading()
    if dead_letters:
        _dead_letters(reading)
        return
    answer = _get(reading, "/actors")
    if reading.json:
        printing.print_json(answer)
        return
    nodes = _walk(answer["tree"]) if answer["tree"] is not None else []
    printing.table(
        "actors",
        ("actor", "status", "restarts", "budget", "waiting", "oldest", "last error"),
        (
            (
                "  " * depth + actor["name"],
                actor["status"],
                actor["restarts"],
                _budget(actor["budget"]),
                sum(channel["depth"] + channel["leased"] for channel in actor["channels"]),
                _oldest(actor["channels"]),
                actor["last_error"],
            )
            for depth, actor in nodes
        ),
        right=("restarts", "budget", "waiting", "oldest"),
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


def _budget(budget: Mapping[str, Any] | None) -> str:
    """How much of its failures a branch has left."""
    return "" if budget is None else f"{budget['spent']}/{budget['intensity']} in {budget['period_s']:g} s"


def _oldest(channels: Sequence[Mapping[str, Any]]) -> str:
    """How long the oldest waiting message has been waiting."""
    age_s = max((channel["oldest_age_s"] for channel in channels), default=0.0)
    return f"{age_s:.1f} s" if age_s > 0 else ""


def _dead_letters(reading: Reading) -> None:
    answer = _get(reading, "/actors/dead-letters")
    if reading.json:
        printing.print_json(answer)
        return
    printing.table(
        "dead letters",
        ("number", "when", "mailbox", "channel", "message", "tries", "error"),
        (
            (
                letter["number"],
                printing.when(letter["at_ms"]),
                letter["mailbox"],
                f"{letter['channel']}{' (money: trading is halted)' if letter['money'] else ''}",
                letter["kind"],
                letter["attempts"],
                letter["error"],
            )
            for letter in answer["letters"]
        ),
        right=("number", "tries"),
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
        ("time", "symbol", "side", "type", "quantity", "price", "filled", "at", "state", "purpose", "intent", "reason"),
        (
            (
                printing.when(each["created_ms"]),
                each["symbol"],
                each["side"],
                each["order_type"],
                printing.number(each["quantity"]),
                _level(each),
                printing.number(each["filled_quantity"]),
                "" if not float(each["average_fill_price"]) else printing.number(each["average_fill_price"]),
                each["state"],
                each["purpose"],
                each["intent_id"],
                each["reason"],
            )
            for each in answer["orders"]
        ),
        right=("quantity", "price", "filled", "at"),
    )


def _level(row: Mapping[str, Any]) -> str:
    """Where an order rests, or a lot's stop: its price, both of an OCO, or how far behind the market it trails."""
    price, stop = (row.get(name) for name in ("price", "stop_price"))
    if price is None and stop is None:
        distance = row.get("trailing_distance")
        return "" if distance is None else f"trails {printing.number(distance)}"
    if price is None or stop is None or float(price) == float(stop):
        return printing.number(stop if price is None else price)
    return f"{printing.number(price)}, stop {printing.number(stop)}"


def _stop(row: Mapping[str, Any]) -> str:
    """The stops of a position, one for each lot that has one; what is wrong with them, and for how long, before it."""
    fault = f"{row['stop_fault']} {row['naked_s']:.1f} s " if row["stop_fault"] else ""
    return (fault + ", ".join(_level({**stop, "stop_price": None}) for stop in row["stops"])).strip() or "none"


def positions(reading: Reading | None = None) -> None:
    """What is held of each symbol, where its stops rest at the venue, and what it is worth."""
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
        ("symbol", columns[0], "stop", *columns[1:]),
        (
            (
                each["symbol"],
                printing.number(each[amounts[0]]),
                _stop(each) if float(each["quantity"]) or each["stops"] else "",
                *(printing.number(each[column]) for column in amounts[1:]),
                *(printing.money(each[column]) for column in money),
            )
            for each in answer["positions"]
        ),
        right=(*columns, "stop"),
    )


def _purpose(fill: Mapping[str, str]) -> str:
    """What a trade was for; of coins that were there before the engine, how many: what they brought is no profit."""
    before = printing.number(fill.get("no_basis", "0"))
    return fill["purpose"] if before == "0" else f"{fill['purpose']} ({before} from before)"


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
                _purpose(each),
                each["strategy"],
                each["intent_id"],
            )
            for each in answer["trades"]
        ),
        right=("quantity", "price", "fee"),
    )


def why(
    about: Annotated[
        str | None, Parameter(help="A signal, intent or correlation id, an order's number, or a symbol.")
    ] = None,
    /,
    *,
    limit: Limit = 5,
    strategy: Annotated[str | None, Parameter(help="Only decisions about this strategy's wishes.")] = None,
    code: Annotated[str | None, Parameter(help="Only refusals with this code, such as max_daily_loss.")] = None,
    since: Annotated[
        datetime | None, Parameter(help="Not before this venue time, such as 2026-03-01T14:00 (UTC).")
    ] = None,
    until: Annotated[datetime | None, Parameter(help="Not after this venue time.")] = None,
    reading: Reading | None = None,
) -> None:
    """Which rule said what about a signal or an order, of all that the journal knows.

    While no engine runs, the newest journal of the user directory is read.
    """
    reading = reading or Reading()
    filters = {"strategy": strategy, "code": code, "from_ms": _as_ms(since), "to_ms": _as_ms(until)}
    if about is None and not any(filters.values()):
        raise CommandFailed("say what about: a signal, an order, a symbol, or one of the options", ExitCode.ERROR)
    found = _decisions(reading, about, {**filters, "limit": limit})
    if not found:
        named = [about or "", *(f"{name} {value}" for name, value in filters.items() if value is not None)]
        raise CommandFailed(f"no decision is known about {', '.join(filter(None, named))}", ExitCode.NOT_FOUND)
    if reading.json:
        printing.print_json({"decisions": found})
        return
    for verdict in found:
        wish = verdict["intent"]
        side = f"{verdict['side']} " if verdict["side"] else ""
        what = f"{side}{verdict['symbol']}"
        if wish:
            what = f"{wish['side']} {printing.number(wish['quantity'])} {wish['symbol']}"
        moment = printing.when(verdict["decided_ms"])
        settings = f"settings {verdict['settings_version']}"
        print(f"{moment}  {_outcome(verdict)}: {what}  [{verdict['strategy']}]  {verdict['verdict_id']}  {settings}")
        for line in _because(verdict):
            print(f"  {line}")
        if verdict["not_sent"]:
            print(f"  its order was given up: {verdict['not_sent']}")
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


def _as_ms(moment: datetime | None) -> int | None:
    """Venue time is UTC unless the text says otherwise."""
    if moment is None:
        return None
    return round((moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _decisions(reading: Reading, about: str | None, query: Mapping[str, object]) -> list[Any]:
    """By symbol, by any name of the decision, or by the order that the name is of."""
    from genesis.cli.client import Client

    try:
        client = Client(reading.user_dir, reading.port)
        return _named(lambda more: _of_engine(client, {**query, **more}), about) or _of_order(client, about, query)
    except NotRunning:
        path = _newest_journal(reading)
        if reading.port is not None or path is None:
            raise
        if not reading.json:
            print(f"no engine runs; from {path.name}:")
        return _named(lambda more: _of_journal(path, {**query, **more}), about)


def _named(ask: Callable[[Mapping[str, object]], list[Any]], about: str | None) -> list[Any]:
    if about is None:
        return ask({})
    if about.startswith("t") and about[1:].replace(":", "").isalnum() and about[1:].isupper():
        return ask({"symbol": about})
    # An intent's id is its signal's with the purpose behind it; a verdict that never became one has only the signal.
    signal, _, purpose = about.rpartition(":")
    names = (about, signal) if signal and purpose.isalpha() else (about,)
    found: list[Any] = []
    for name in names:
        found = found or ask({"about": name})
    return found


def _of_engine(client: Any, query: Mapping[str, object]) -> list[Any]:
    told = client.get("/risk/unified/decisions", **query)["decisions"]
    return [{**row["verdict"], "not_sent": row["not_sent"]} for row in told]


def _of_order(client: Any, about: str | None, query: Mapping[str, object]) -> list[Any]:
    """Of an order that is open now, by any of its ids."""
    for order in client.get("/orders", limit=1000)["orders"] if about is not None else ():
        if about in (str(order["cid"]), str(order["venue_id"]), order["intent_id"]):
            return _of_engine(client, {**query, "correlation_id": order["correlation_id"]})
    return []


def _newest_journal(reading: Reading) -> "Path | None":
    path = newest_of(reading.user_dir.database)
    return path if path.is_file() else None


def _of_journal(path: "Path", query: Mapping[str, object]) -> list[Any]:
    import msgspec

    from genesis.audit import search_journal
    from genesis.domain.decision_search import DecisionSearch
    from genesis.edge.store_errors import StoreError

    try:
        found = search_journal(path, DecisionSearch(**query))  # type: ignore[arg-type]
    except StoreError as error:
        raise CommandFailed(str(error)) from None
    verdicts = msgspec.json.decode(msgspec.json.encode(found.verdicts))
    return [{**verdict, "not_sent": found.not_sent.get(verdict["verdict_id"], "")} for verdict in verdicts]
