"""The commands against the real web application: routes, tokens and answers as the engine has them."""

import json
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import attrs
import msgspec
import pytest
import trio

from genesis.cli.main import call
from genesis.core.clock import TrioClock
from genesis.edge.run_file import RunFile
from genesis.edge.user_dir import UserDir
from genesis.run_options import ExitCode
from protocols.health import ActorStatus, ActorView, ConnectionView
from protocols.orders import Fill, Flatten, OrderIntent, OrderState, OrderType, OrderView, Purpose
from protocols.risk import DenialCode, RiskCommand, RuleResult, SetTradingState, TradingState, Verdict
from protocols.trading import FlattenView
from protocols.units import Side, Symbol
from web.app import create_app
from web.controls import Controls
from web.guard import hosts_for
from web.keyring import open_keyring
from web.models import EngineStatus, ReplayProgress
from web.readers import Readers
from web.server import ServerCounters, open_listeners, port_of
from web.site import Site
from web.tokens import Tokens

BTC = Symbol("tBTCUSD")
INTENT = OrderIntent(
    intent_id="btc-ema:tBTCUSD:5m:1:entry",
    strategy="btc-ema",
    symbol=BTC,
    side=Side.BUY,
    quantity=Decimal("0.5"),
    order_type=OrderType.MARKET,
    purpose=Purpose.ENTRY,
    decided_ms=1_517_900_000_000,
    correlation_id="tBTCUSD:5m:1",
    received_ns=0,
)
VERDICT = Verdict(
    verdict_id=INTENT.intent_id,
    strategy="btc-ema",
    symbol=BTC,
    side=Side.BUY,
    approved=False,
    intent=INTENT,
    trace=(
        RuleResult(rule="trading_state", passed=True, code=None, numbers={}),
        RuleResult(
            rule="max_daily_loss",
            passed=False,
            code=DenialCode.MAX_DAILY_LOSS,
            numbers={"loss": "0.061", "allowed": "0.05"},
        ),
    ),
    decided_ms=1_517_900_000_000,
    signal_id="btc-ema:tBTCUSD:5m:1",
    settings_version=1,
    correlation_id="tBTCUSD:5m:1",
)
FROM_NOTHING = Verdict(
    verdict_id="manual:mine",
    strategy="eth-ema",
    symbol=Symbol("tETHUSD"),
    side=Side.SELL,
    approved=False,
    intent=None,
    trace=(
        RuleResult(rule="something_to_reduce", passed=False, code=DenialCode.NOTHING_TO_REDUCE, numbers={"held": "0"}),
        RuleResult(rule="not_halted", passed=True, code=None, numbers={"state": "ACTIVE", "reason": ""}),
    ),
    decided_ms=1_517_900_000_000,
    signal_id=None,
    settings_version=1,
    correlation_id="manual:mine",
)
ORDER = OrderView(
    intent_id=INTENT.intent_id,
    cid=7,
    venue_id=4711,
    strategy="btc-ema",
    symbol=BTC,
    side=Side.BUY,
    order_type=OrderType.MARKET,
    purpose=Purpose.ENTRY,
    quantity=Decimal("0.5"),
    filled_quantity=Decimal(0),
    average_fill_price=Decimal(0),
    price=None,
    state=OrderState.ACKED,
    reason="",
    created_ms=1_517_900_000_000,
    updated_ms=1_517_900_000_000,
    correlation_id="tBTCUSD:5m:1",
    foreign=False,
)
TREE = ActorView(
    name="engine",
    kind="supervisor",
    status=ActorStatus.RUNNING,
    strategy="one_for_one",
    restart="permanent",
    generation=1,
    restarts=0,
    last_error=None,
    since_s=1.0,
    last_progress_s=0.0,
    channels=(),
    children=(
        ActorView(
            name="risk",
            kind="worker",
            status=ActorStatus.RUNNING,
            strategy=None,
            restart="permanent",
            generation=3,
            restarts=2,
            last_error="Killed: [chaos]",
            since_s=1.0,
            last_progress_s=0.0,
            channels=(),
            children=(),
        ),
    ),
)


A_SALE = Fill(
    trade_id=1,
    intent_id="i",
    cid=1,
    venue_order_id=1,
    strategy="",
    symbol=BTC,
    side=Side.SELL,
    quantity=Decimal("0.5"),
    price=Decimal(7000),
    fee=Decimal(-7),
    fee_currency="USD",
    maker=False,
    purpose=Purpose.MANUAL,
    time_ms=1_517_900_000_000,
    correlation_id="",
    foreign=False,
    no_basis=Decimal("0.2"),
)
"""Of half a coin 0.2 were in the wallet before the engine."""


@attrs.define
class Engine:
    """A web application over constants, which keeps what it is told to do."""

    home: UserDir
    told: list[RiskCommand | Flatten] = attrs.field(factory=list)
    orders: tuple[OrderView, ...] = attrs.field(factory=lambda: (ORDER,))
    fills: tuple[Fill, ...] = ()
    lines: tuple[ConnectionView, ...] = ()
    flattened: int | None = None
    """The newest order's number when the flatten came that is done; None: nobody heard of one."""
    given_up: tuple[Symbol, ...] = ()
    replay: ReplayProgress | None = None

    async def hear(self, command: RiskCommand) -> bool:
        self.told.append(command)
        return True

    async def flatten(self, command: Flatten) -> None:
        self.told.append(command)

    def flattens(self) -> tuple[FlattenView, ...]:
        if self.flattened is None:
            return ()
        asked = [each for each in self.told if isinstance(each, Flatten)]
        done = FlattenView(flatten_id="", symbol=None, left=(), given_up=self.given_up, last_cid=self.flattened)
        return tuple(msgspec.structs.replace(done, flatten_id=each.correlation_id) for each in asked)

    def readers(self) -> Readers:
        return Readers(
            status=lambda: EngineStatus(
                mode="sim", version="1", venue_ms=1_517_900_000_000, speed="60", replay=self.replay
            ),
            orders=lambda: self.orders,
            fills=lambda: self.fills,
            flattens=self.flattens,
            verdicts=lambda: (VERDICT, FROM_NOTHING),
            actors=lambda: TREE,
            connections=lambda: self.lines,
        )

    async def command(self, *words: str) -> int:
        """The command as a shell would run it; its waiting for us must not keep us from answering."""
        return await trio.to_thread.run_sync(call, list(words))


@pytest.fixture
async def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery) -> AsyncIterator[Engine]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENESIS_HOME", str(tmp_path / "home"))
    home = UserDir(tmp_path / "home")
    home.create()
    engine = Engine(home)
    listeners = await open_listeners("127.0.0.1", 0)
    port = port_of(listeners)
    counters = ServerCounters()
    tokens = Tokens(
        keyring=open_keyring(home.keyring, secrets.token_bytes), clock=TrioClock(), random_bytes=secrets.token_bytes
    )
    app = create_app(
        readers=engine.readers(),
        controls=Controls(risk=engine.hear, flatten=engine.flatten),
        tokens=tokens,
        clock=TrioClock(),
        chance=random.Random(1),
        hosts=hosts_for((), port),
        server_counters=counters,
    )
    site = Site(app=app, listeners=listeners, counters=counters)
    stopping = trio.Event()
    RunFile(pid=1, address=f"http://127.0.0.1:{port}", mode="sim", started_ms=0).write(home.run_file)
    async with trio.open_nursery() as nursery:
        await nursery.start(site.serve, stopping)
        yield engine
        stopping.set()
    await site.aclose()


Capture = pytest.CaptureFixture[str]
Command = Callable[..., Awaitable[int]]


async def test_the_status_is_shown_although_no_wallet_is_known(engine: Engine, capsys: Capture) -> None:
    assert await engine.command("status") == ExitCode.OK
    text = capsys.readouterr().out
    assert "sim" in text
    assert "2018-02-06 06:53:20" in text
    assert await engine.command("status", "--json") == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["status"]["mode"] == "sim"


async def test_status_says_when_the_line_of_the_account_is_away(engine: Engine, capsys: Capture) -> None:
    line = ConnectionView(
        name="connection_private",
        uri="wss://venue",
        status="waiting 3.0 s",
        session=4,
        reconnects=3,
        last_error="the answer to the login was lost",
        frames=9,
        subscriptions=0,
        venue_ms=0,
        last_frame_age_s=1.0,
    )
    engine.lines = (line,)
    assert await engine.command("status") == ExitCode.OK
    assert "waiting 3.0 s (the answer to the login was lost)" in capsys.readouterr().out
    engine.lines = (msgspec.structs.replace(line, status="up"),)
    assert await engine.command("status") == ExitCode.OK
    assert "account's line" not in capsys.readouterr().out


async def test_the_tree_is_shown_with_what_fell(engine: Engine, capsys: Capture) -> None:
    assert await engine.command("actors") == ExitCode.OK
    text = capsys.readouterr().out
    assert "  risk" in text
    assert "Killed: [chaos]" in text


async def test_orders_are_shown_and_filtered(engine: Engine, capsys: Capture) -> None:
    assert await engine.command("orders", "--state", "open", "--symbol", "tBTCUSD", "--json") == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["orders"][0]["cid"] == 7
    assert await engine.command("orders", "--symbol", "tETHUSD") == ExitCode.OK
    assert "orders (0): none" in capsys.readouterr().out
    engine.orders = (msgspec.structs.replace(ORDER, order_type=OrderType.STOP, price=Decimal("7768.3")),)
    assert await engine.command("orders") == ExitCode.OK
    assert "7768.3" in capsys.readouterr().out
    assert await engine.command("trades") == ExitCode.OK
    assert "none" in capsys.readouterr().out
    engine.fills = (A_SALE, msgspec.structs.replace(A_SALE, trade_id=2, no_basis=Decimal(0)))
    assert await engine.command("trades") == ExitCode.OK
    out = " ".join(capsys.readouterr().out.split())
    assert out.count("manual (0.2 from before)") == 1
    assert out.count("manual") == 2


@pytest.mark.parametrize(
    "about", ["btc-ema:tBTCUSD:5m:1", "btc-ema:tBTCUSD:5m:1:entry", "tBTCUSD:5m:1", "tBTCUSD", "7", "4711"]
)
async def test_why_answers_for_every_name_of_a_decision(engine: Engine, about: str, capsys: Capture) -> None:
    assert await engine.command("why", about) == ExitCode.OK
    text = capsys.readouterr().out
    assert "refused: buy 0.5 tBTCUSD" in text
    assert "REFUSE  max_daily_loss" in text
    assert "loss 0.061, allowed 0.05" in text


@pytest.mark.parametrize("about", ["manual:mine", "mine", "tETHUSD"])
async def test_an_exit_from_nothing_is_told_as_what_it_is(engine: Engine, about: str, capsys: Capture) -> None:
    assert await engine.command("why", about) == ExitCode.OK
    text = capsys.readouterr().out
    assert "nothing held, nothing to sell: sell tETHUSD" in text
    assert "not_halted               state ACTIVE\n" in text


async def test_why_finds_refusals_by_code_strategy_and_time(engine: Engine, capsys: Capture) -> None:
    assert await engine.command("why", "--code", "max_daily_loss", "--json") == ExitCode.OK
    (found,) = json.loads(capsys.readouterr().out)["decisions"]
    assert found["symbol"] == "tBTCUSD"
    assert await engine.command("why", "tBTCUSD", "--strategy", "nobody") == ExitCode.NOT_FOUND
    assert "no decision is known about tBTCUSD, strategy nobody" in capsys.readouterr().err
    assert await engine.command("why", "tBTCUSD", "--until", "2001-01-01") == ExitCode.NOT_FOUND
    assert await engine.command("why", "tBTCUSD", "--since", "2001-01-01T10:00") == ExitCode.OK
    assert await engine.command("why") == ExitCode.ERROR
    assert "say what about" in capsys.readouterr().err


async def test_why_of_nothing_known_is_not_found(engine: Engine, capsys: Capture) -> None:
    assert await engine.command("why", "tLTCUSD:1m:5") == ExitCode.NOT_FOUND
    assert "no decision is known about tLTCUSD:1m:5" in capsys.readouterr().err


async def test_halt_and_resume_reach_risk_with_the_reason(engine: Engine, capsys: Capture) -> None:
    assert await engine.command("halt", "--reason", "a feeling") == ExitCode.OK
    assert await engine.command("halt", "--reducing") == ExitCode.OK
    assert await engine.command("resume") == ExitCode.OK
    states = [each.state for each in engine.told if isinstance(each, SetTradingState)]
    assert states == [TradingState.HALTED, TradingState.REDUCING, TradingState.ACTIVE]
    first = engine.told[0]
    assert isinstance(first, SetTradingState)
    assert first.reason.startswith("a feeling (")
    assert "HALTED" in capsys.readouterr().out


async def test_flatten_goes_out_when_confirmed(engine: Engine) -> None:
    assert await engine.command("flatten", "tBTCUSD", "--yes", "--wait", "0") == ExitCode.OK
    assert await engine.command("flatten", "--yes", "--wait", "0") == ExitCode.OK
    assert [each.symbol for each in engine.told if isinstance(each, Flatten)] == [BTC, None]


async def test_flatten_says_whether_it_came_true(engine: Engine, capsys: Capture) -> None:
    """At three in the morning "closing" is no answer: is it closed?"""
    assert await engine.command("flatten", "--yes", "--wait", "1") == ExitCode.TIME_OUT
    assert "after 1 s 1 orders are open and nothing is held; it goes on" in capsys.readouterr().err
    engine.replay = ReplayProgress(recording="a", start_ms=0, end_ms=1, at_ms=1, fraction=1.0, done=True)
    assert await engine.command("flatten", "--yes", "--wait", "1") == ExitCode.TIME_OUT
    assert "1 orders are open and nothing is held; the recording is over: nothing trades" in capsys.readouterr().err
    engine.replay = None
    engine.orders, engine.flattened = (), 6
    assert await engine.command("flatten", "--yes", "--wait", "1") == ExitCode.OK
    assert "done: no order is open and nothing is held" in capsys.readouterr().out
    assert await engine.command("flatten", "--yes", "--json") == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["opened_since"] == {}
    # Three sales were refused: nobody closes it any more.
    engine.given_up, engine.orders = (BTC,), (ORDER,)
    assert await engine.command("flatten", "--yes", "--wait", "1") == ExitCode.TIME_OUT
    assert "tBTCUSD was given up after three tries" in capsys.readouterr().err
    engine.given_up, engine.orders = (), ()
    # A strategy has bought again by the time of the answer.
    engine.orders, engine.flattened = (msgspec.structs.replace(ORDER, purpose=Purpose.ENTRY, cid=8),), 7
    assert await engine.command("flatten", "--yes") == ExitCode.OK
    told = capsys.readouterr().out
    assert (
        "done: what was open and held is closed; trading goes on, and has opened since then: an order in tBTCUSD"
        in told
    )
    assert await engine.command("flatten", "--yes", "--wait", "60") == ExitCode.CONFIGURATION
    assert len(engine.told) == 6


async def test_a_link_opens_the_page_once(engine: Engine, capsys: Capture) -> None:
    assert await engine.command("token", "--link") == ExitCode.OK
    assert "/?ticket=" in capsys.readouterr().out


async def test_another_directorys_token_is_refused(engine: Engine, capsys: Capture, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert await engine.command("token", "--data-dir", str(other)) == ExitCode.OK
    port = json.loads(engine.home.run_file.read_text())["address"].rsplit(":", 1)[1]
    capsys.readouterr()
    assert await engine.command("status", "--data-dir", str(other), "--port", port) == ExitCode.ERROR
    assert "key that is not in use" in capsys.readouterr().err
