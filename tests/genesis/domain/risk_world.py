"""Small facts for risk: an account with cash, scores at a price, and scores that keep crossing."""

from decimal import Decimal

from genesis.domain.risk_state import Reservation
from genesis.domain.signal_machine import SignalMachine
from protocols.risk import AccountState, PositionView, WalletView
from protocols.settings import Settings, StrategySettings
from protocols.signals import Recommendation, SignalScore
from protocols.units import ZERO, Symbol
from tests.recorded_candles import as_closed, recorded_candles

BTC = Symbol("tBTCUSD")
DAY_MS = 86_400_000
START_MS = 1_517_832_000_000


def an_account(
    *,
    cash: Decimal = Decimal(10_000),
    held: Decimal = ZERO,
    price: Decimal = Decimal(7000),
    closed: tuple[str, ...] = (),
    known: bool = True,
    version: int = 1,
) -> AccountState:
    position = PositionView(
        symbol=BTC,
        quantity=held,
        average_price=price,
        mark_price=price,
        notional=abs(held) * price,
        unrealized_pnl=ZERO,
        realized_pnl=ZERO,
        fees=ZERO,
    )
    return AccountState(
        known=known,
        version=version,
        quote_currency="USD",
        equity=cash + held * price,
        cash=cash,
        realized_pnl=ZERO,
        unrealized_pnl=ZERO,
        fees=ZERO,
        wallets=(
            WalletView(wallet_type="exchange", currency="BTC", balance=held, available=None),
            WalletView(wallet_type="exchange", currency="USD", balance=cash, available=None),
        ),
        positions=(position,) if held else (),
        closed_intents=closed,
        closed_count=len(closed),
        mismatched_symbols=(),
        as_of_ms=START_MS,
    )


def a_score(
    minute: int,
    recommendation: str,
    *,
    price: float = 7000.0,
    symbol: str = BTC,
    strategy: str = "s",
    catch_up: bool = False,
) -> SignalScore:
    open_ms = START_MS + minute * 60_000
    return SignalScore(
        signal_id=f"{strategy}:{symbol}:1m:{open_ms}",
        strategy=strategy,
        symbol=Symbol(symbol),
        timeframe="1m",
        candle_open_ms=open_ms,
        decided_ms=open_ms + 60_000,
        price=price,
        recommendation=Recommendation(recommendation),
        confidence=0.5,
        probability=0.5,
        source="test/1",
        features={},
        reasons=(),
        catch_up=catch_up,
        correlation_id=f"{symbol}:1m:{open_ms}",
        received_ns=1,
    )


def crossing_scores(count: int) -> list[SignalScore]:
    """What a nervous EMA cross says to real candles."""
    settings = Settings(
        strategies=(StrategySettings(name="s", timeframe="1m", parameters={"fast": 3, "slow": 6}),),
    )
    machine = SignalMachine(settings)
    return [score for candle in recorded_candles()[:count] for score in machine.on_candle(as_closed(candle))]


def reserved_notional(reservations: dict[str, Reservation]) -> Decimal:
    return sum((kept.notional for kept in reservations.values() if not kept.reduces), ZERO)
