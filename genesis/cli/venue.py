"""What the venue keeps about the account, and price alerts there: asked by the engine that runs, when you ask it."""

import secrets
import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from genesis.cli import printing
from genesis.cli.examples import epilogue
from genesis.cli.failures import CommandFailed
from genesis.cli.options import Reading
from genesis.run_options import ExitCode

if TYPE_CHECKING:
    from genesis.cli.client import Client

account = App(
    name="account",
    help="What the venue keeps about the account.",
    help_format="markdown",
    help_epilogue=epilogue("account"),
)
alerts = App(
    name="alerts",
    help="Prices at which the venue tells you; they hold while no engine runs.",
    help_format="markdown",
    help_epilogue=epilogue("alerts"),
)

Symbol = Annotated[str, Parameter(help="A symbol, such as tBTCUSD.")]
Limit = Annotated[int, Parameter(help="At most this many, newest first.")]


def _client(reading: Reading, *, trade: bool = False, admin: bool = False) -> "Client":
    from genesis.cli.client import Client
    from genesis.cli.controls import who
    from web.tokens import Scope

    scope = Scope.ADMIN if admin else Scope.TRADE if trade else Scope.READ
    return Client(reading.user_dir, reading.port, scope=scope, subject=who())


@account.command
def movements(
    *,
    currency: Annotated[str | None, Parameter(help="Only this currency, such as USD.")] = None,
    limit: Limit = 50,
    reading: Reading | None = None,
) -> None:
    """Deposits and withdrawals."""
    reading = reading or Reading()
    told: Any = _client(reading).get("/movements", currency=currency, limit=limit)
    if reading.json:
        printing.print_json(told)
        return
    printing.table(
        "movements",
        ("time", "amount", "currency", "fees", "method", "state", "to", "transaction"),
        (
            (
                printing.when(each["updated_ms"]),
                printing.number(each["amount"]),
                each["currency"],
                printing.number(each["fees"]),
                each["method"],
                each["status"],
                each["address"],
                each["transaction_id"],
            )
            for each in told["movements"]
        ),
        right=("amount", "fees"),
    )


@account.command
def logins(*, limit: Limit = 50, reading: Reading | None = None) -> None:
    """Who signed in to the venue's account, from where. `new` marks an address that no older one in the list has."""
    reading = reading or Reading()
    told: Any = _client(reading).get("/logins", limit=limit)
    if reading.json:
        printing.print_json(told)
        return
    printing.table(
        "logins",
        ("time", "address", ""),
        ((printing.when(each["time_ms"]), each["address"], "new" if each["first"] else "") for each in told["logins"]),
    )


@account.command
def fees(*, reading: Reading | None = None) -> None:
    """The account's fees, in percent of the traded value."""
    reading = reading or Reading()
    told: Any = _client(reading).get("/account/fees")
    if reading.json:
        printing.print_json(told)
        return
    printing.pairs((name.replace("_", " "), f"{float(value):.4%}") for name, value in told.items() if name != "type")


@account.command
def permissions(*, reading: Reading | None = None) -> None:
    """What the engine's key may read and write."""
    reading = reading or Reading()
    told: Any = _client(reading).get("/account/permissions")
    if reading.json:
        printing.print_json(told)
        return
    printing.table(
        "permissions",
        ("scope", "read", "write"),
        (
            (each["scope"], "yes" if each["read"] else "no", "yes" if each["write"] else "no")
            for each in told["permissions"]
        ),
    )


@account.command
def past(
    *,
    snapshots: Annotated[
        bool, Parameter(negative="", help="Each midnight's open ones instead of those that were closed.")
    ] = False,
    limit: Annotated[int, Parameter(help="At most this many, newest first; 50 is the venue's most.")] = 50,
    reading: Reading | None = None,
) -> None:
    """Positions on margin and in contracts, as the venue remembers them."""
    reading = reading or Reading()
    told: Any = _client(reading).get("/positions/snapshots" if snapshots else "/positions/venue", limit=limit)
    if reading.json:
        printing.print_json(told)
        return
    printing.table(
        "positions at midnight" if snapshots else "closed positions",
        ("time", "symbol", "state", "amount", "base price", "number"),
        (
            (
                printing.when(each["updated_ms"]),
                each["symbol"],
                each["status"],
                printing.number(each["amount"]),
                printing.number(each["base_price"]),
                each["position_id"],
            )
            for each in told["positions"]
        ),
        right=("amount", "base price"),
    )


# --- money between wallets --------------------------------------------------------------------------------------------

Wallet = Literal["exchange", "margin", "funding"]


@account.command
def transfer(
    amount: Annotated[str, Parameter(help="How much.")],
    currency: Annotated[str, Parameter(help="Of what, such as USD.")],
    source: Annotated[Wallet, Parameter(help="From this wallet.")],
    target: Annotated[Wallet, Parameter(help="To this wallet.")],
    /,
    *,
    to_currency: Annotated[str | None, Parameter(help="What it becomes there: UST for contracts is USTF0.")] = None,
    name: Annotated[
        str | None, Parameter(help="A name for it: the same again moves nothing, and tells what came of the first.")
    ] = None,
    yes: Annotated[bool, Parameter(negative="", help="Do not ask.")] = False,
    reason: Annotated[str, Parameter(help="Why; it is kept in the journal.")] = "asked on the command line",
    reading: Reading | None = None,
) -> int:
    """Move money between two wallets of the account. Exit code 5 when no answer came: `transfers` tells later."""
    if not yes:
        if not sys.stdin.isatty():
            raise CommandFailed("transfer must be confirmed: give --yes", ExitCode.CONFIGURATION)
        if input(f"move {amount} {currency} from {source} to {target}? type transfer: ").strip() != "transfer":
            raise CommandFailed("nothing was done")
    reading = reading or Reading()
    name = name or f"cli:{secrets.token_hex(8)}"
    body = {
        "confirm": "transfer",
        "from_wallet": source,
        "to_wallet": target,
        "currency": currency,
        "amount": amount,
        "transfer_id": name,
        "reason": reason,
    }
    try:
        told: Any = _client(reading, admin=True).post(
            "/transfers", body if to_currency is None else {**body, "currency_to": to_currency}
        )
    except CommandFailed as error:
        if error.exit_code != ExitCode.TIME_OUT:
            raise
        hint = "`genesis account transfers` tells what came of it"
        raise CommandFailed(
            f"{error}; {hint}, and so does the same command with --name {name}", error.exit_code
        ) from None
    if reading.json:
        printing.print_json(told)
    else:
        print(told["message"])
    return ExitCode.OK if told["transfer"]["state"] == "done" else ExitCode.TIME_OUT


@account.command
def transfers(*, reading: Reading | None = None) -> None:
    """Transfers that were made here, with what came of each."""
    reading = reading or Reading()
    told: Any = _client(reading).get("/transfers")
    if reading.json:
        printing.print_json(told)
        return
    printing.table(
        "transfers",
        ("asked", "amount", "currency", "from", "to", "state", "by", "what is known"),
        (
            (
                printing.when(each["asked_ms"]),
                printing.number(each["wish"]["amount"]),
                each["wish"]["currency"],
                each["wish"]["from_wallet"],
                each["wish"]["to_wallet"],
                "in doubt" if each["state"] == "asked" else each["state"],
                each["wish"]["actor"],
                each["text"],
            )
            for each in told["transfers"]
        ),
        right=("amount",),
    )


# --- price alerts -----------------------------------------------------------------------------------------------------


@alerts.command(name="list")
def list_alerts(*, reading: Reading | None = None) -> None:
    """The alerts that are set."""
    reading = reading or Reading()
    told: Any = _client(reading).get("/alerts")
    if reading.json:
        printing.print_json(told)
        return
    printing.table(
        "alerts",
        ("symbol", "price"),
        ((each["symbol"], printing.number(each["price"])) for each in told["alerts"]),
        right=("price",),
    )


@alerts.command(name="set")
def set_alert(
    symbol: Symbol, price: Annotated[str, Parameter(help="The price to tell of.")], /, *, reading: Reading | None = None
) -> None:
    """Have the venue tell when a price is reached. The engine then makes it a notice, on the page and on Telegram."""
    reading = reading or Reading()
    told: Any = _client(reading, trade=True).post("/alerts", {"symbol": symbol, "price": price})
    if reading.json:
        printing.print_json(told)
    else:
        print(f"the venue tells when {told['symbol']} reaches {printing.number(told['price'])}")


@alerts.command(name="drop")
def drop_alert(
    symbol: Symbol, price: Annotated[str, Parameter(help="The alert's price.")], /, *, reading: Reading | None = None
) -> None:
    """Take an alert back."""
    reading = reading or Reading()
    told: Any = _client(reading, trade=True).delete(f"/alerts/{symbol}/{price}")
    if reading.json:
        printing.print_json(told)
    else:
        print(told["message"])
