"""Where no strategy speaks, risk knows the price by the account: for a person's order, and for what is held there."""

from decimal import Decimal

import msgspec

from genesis.domain.market_prices import MarketPrices
from genesis.domain.risk_machine import RiskMachine, RiskOutputs
from protocols.market import Candle, CandleClosed
from protocols.orders import OrderIntent, OrderType, Purpose
from protocols.risk import DenialCode, ManualOrder, MarketPrice, WalletView
from protocols.settings import Settings
from protocols.signals import StrategyView
from protocols.units import Side, Symbol
from tests.genesis.domain.risk_world import START_MS, a_score, an_account

BTC, ETH = Symbol("tBTCUSD"), Symbol("tETHUSD")
MINUTE_MS = 60_000
DEFAULT = Settings()
BTC_ONLY = msgspec.structs.replace(DEFAULT, strategies=DEFAULT.strategies[:1])
NOBODY = msgspec.structs.replace(
    DEFAULT, strategies=tuple(msgspec.structs.replace(each, enabled=False) for each in DEFAULT.strategies)
)


def closed(symbol: Symbol, minute: int, price: float, timeframe: str = "1m", length: int = 1) -> CandleClosed:
    begin_ms = START_MS + (minute - length) * MINUTE_MS
    return CandleClosed(
        candle=Candle(
            symbol=symbol,
            timeframe=timeframe,
            open_ms=begin_ms,
            open=price,
            high=price,
            low=price,
            close=price,
            volume=1.0,
        ),
        closed_ms=START_MS + minute * MINUTE_MS,
        received_ns=0,
        correlation_id="c",
        catch_up=False,
    )


def a_voice(symbol: Symbol, *, fault: str = "", seen: int = 50, waits: bool = False) -> StrategyView:
    return StrategyView(
        strategy="btc-ema",
        kind="ema_cross",
        version=1,
        symbol=symbol,
        timeframe="5m",
        parameters={},
        scores=0,
        last_open_ms=0,
        fault=fault,
        own=False,
        needs=50,
        seen=seen,
        waits=waits,
    )


def a_price(minute: int, price: str, symbol: Symbol = ETH) -> MarketPrice:
    at_ms = START_MS + minute * MINUTE_MS
    return MarketPrice(symbol=symbol, price=Decimal(price), at_ms=at_ms, due_ms=at_ms + MINUTE_MS)


def a_wish(minute: float, quantity: str = "1", symbol: Symbol = ETH) -> ManualOrder:
    return ManualOrder(
        intent=OrderIntent(
            intent_id=f"manual:{minute}",
            strategy="manual",
            symbol=symbol,
            side=Side.BUY,
            quantity=Decimal(quantity),
            order_type=OrderType.MARKET,
            purpose=Purpose.MANUAL,
            decided_ms=START_MS + int(minute * MINUTE_MS),
            correlation_id="c",
            signal_id=None,
            received_ns=0,
        ),
        actor="a trader",
    )


def codes(outputs: RiskOutputs) -> set[DenialCode]:
    return {rule.code for verdict in outputs.verdicts for rule in verdict.denials if rule.code is not None}


def test_the_newest_close_is_told_of_markets_without_a_voice() -> None:
    prices = MarketPrices()
    assert prices.on_candle(closed(ETH, 5, 800.0))
    assert not prices.on_candle(closed(ETH, 5, 801.0, "5m", 5)), "the next minute is due before the next five"
    assert not prices.on_candle(closed(ETH, 4, 799.0)), "an older one is no news"
    assert prices.on_candle(closed(BTC, 5, 7000.0))
    both = (a_price(5, "7000.0", BTC), a_price(5, "800.0"))
    assert prices.unspoken(NOBODY, ()) == both
    assert prices.unspoken(BTC_ONLY, ()) == both[1:], "nothing is known against it"
    assert prices.unspoken(BTC_ONLY, (a_voice(BTC),)) == both[1:]
    watched = msgspec.structs.replace(DEFAULT.market, symbols=(BTC,))
    assert prices.unspoken(msgspec.structs.replace(NOBODY, market=watched), ()) == both[:1]
    for silent in (a_voice(BTC, fault="broken"), a_voice(BTC, seen=49), a_voice(BTC, waits=True)):
        assert prices.unspoken(BTC_ONLY, (silent,)) == both


def test_a_person_trades_what_no_strategy_trades_and_is_judged_by_the_same_limits() -> None:
    machine = RiskMachine(BTC_ONLY)
    machine.on_account(an_account())
    machine.on_score(a_score(4, "hold"))
    before = machine.on_command(a_wish(5.1))
    assert codes(before) == {DenialCode.STALE_DATA}, "nobody has told a price"
    machine.on_account(msgspec.structs.replace(an_account(version=2), prices=(a_price(5, "800"),)))
    after = machine.on_command(a_wish(5.2))
    assert codes(after) == set()
    [approved] = after.approved
    assert approved.intent.bracket is not None
    assert approved.intent.bracket.stop_distance == Decimal(40), "the settings' stop, 5 % of that price"
    assert machine.state.reservations[approved.intent.intent_id].notional == 800
    assert DenialCode.MAX_ORDER_NOTIONAL in codes(machine.on_command(a_wish(5.3, "7")))
    # Its candles stop: the price is old, as anybody's would be.
    assert DenialCode.STALE_DATA in codes(machine.on_command(a_wish(9)))


def test_what_is_held_there_is_no_gain_when_its_price_is_first_known_and_counts_from_then_on() -> None:
    machine = RiskMachine(BTC_ONLY)
    account = an_account()
    coins = WalletView(wallet_type="exchange", currency="ETH", balance=Decimal(10), available=None)
    account = msgspec.structs.replace(account, wallets=(*account.wallets, coins))
    machine.on_account(account)
    machine.on_score(a_score(4, "hold"))
    state = machine.state
    assert (machine.equity, state.day_start_equity, state.peak_equity) == (
        Decimal(10_000),
        Decimal(10_000),
        Decimal(10_000),
    )
    machine.on_account(msgspec.structs.replace(account, version=2, prices=(a_price(5, "800"),)))
    assert (machine.equity, state.day_start_equity, state.week_start_equity) == (
        Decimal(18_000),
        Decimal(18_000),
        Decimal(18_000),
    )
    assert state.peak_equity == 18_000
    machine.on_account(msgspec.structs.replace(account, version=3, prices=(a_price(6, "700"),)))
    assert (machine.equity, state.day_start_equity, state.peak_equity) == (
        Decimal(17_000),
        Decimal(18_000),
        Decimal(18_000),
    )


def test_a_score_is_believed_before_an_older_price_of_the_account() -> None:
    machine = RiskMachine(DEFAULT)
    machine.on_account(an_account())
    machine.on_score(a_score(9, "hold", price=7100.0))
    late = msgspec.structs.replace(an_account(version=2), prices=(a_price(4, "6000", BTC),))
    machine.on_account(late)
    assert machine.state.marks[BTC] == 7100
    newer = msgspec.structs.replace(an_account(version=3), prices=(a_price(11, "7200", BTC),))
    machine.on_account(newer)
    assert machine.state.marks[BTC] == 7200, "the strategy fell silent"


def test_without_any_strategy_days_begin_and_losses_are_measured_all_the_same() -> None:
    machine = RiskMachine(NOBODY)
    machine.on_account(an_account())
    machine.on_account(msgspec.structs.replace(an_account(version=2), prices=(a_price(5, "7000", BTC),)))
    assert (machine.state.now_ms, machine.state.day_start_equity) == (START_MS + 5 * MINUTE_MS, Decimal(10_000))
    assert codes(machine.on_command(a_wish(5.1, "0.1", BTC))) == set()
    poorer = msgspec.structs.replace(an_account(cash=Decimal(9_000), version=3), prices=(a_price(6, "7000", BTC),))
    machine.on_account(poorer)
    assert DenialCode.MAX_DAILY_LOSS in codes(machine.on_command(a_wish(6.1, "0.1", BTC)))
