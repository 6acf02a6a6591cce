"""freqtrade's names: what its clients ask first answers here too, from the same readers and by the same controls."""

import contextlib
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from genesis.domain.profit_report import (
    LOSS,
    WIN,
    Unit,
    by_period,
    by_symbol,
    durations,
    exit_reasons,
    mean_held_s,
    profit_in,
    trades_in,
)
from protocols.account import ClosedTotals
from protocols.risk import AccountState, SetPaused
from protocols.units import TIMEFRAME_MS, ZERO
from web.api import Api, Call
from web.commands import close_everything, tell_risk
from web.errors import ApiError
from web.familiar_models import (
    Balance,
    Count,
    CurrencyBalance,
    ExitResult,
    FamiliarLock,
    FamiliarLocks,
    ForceExitBody,
    LogLine,
    Logs,
    LogsQuery,
    MeanDurations,
    Outcome,
    Period,
    Periods,
    PeriodsQuery,
    Pong,
    Profit,
    Said,
    ShownConfig,
    Stats,
    SymbolPerformance,
    Version,
)
from web.sysinfo import SystemInfo

API_VERSION: Final = 2.0


def _account(api: Api) -> AccountState:
    account = api.readers.account()
    if account is None:
        raise ApiError(503, "the account is not known yet", code="not_ready", headers={"Retry-After": "1"})
    return account


def _now_ms(api: Api) -> int:
    return api.readers.status().venue_ms or api.clock.wall_ms()


def _made(api: Api, account: AccountState) -> Decimal:
    """What was made since the first figure: paid in or taken out is neither."""
    figures = api.readers.figures()
    flows = ZERO if figures is None else figures.flows_quote
    return account.equity - _start_equity(api, account) - flows


def _start_equity(api: Api, account: AccountState) -> Decimal:
    """What the account was worth at its first figure; without one, what it is worth now less what was made."""
    figures = api.readers.figures()
    return figures.start_equity if figures is not None else account.equity - account.realized_pnl


async def ping(api: Api, call: Call) -> Pong:
    return Pong(status="pong")


async def version(api: Api, call: Call) -> Version:
    return Version(version=api.readers.status().version)


async def count(api: Api, call: Call) -> Count:
    held = [view for view in _account(api).positions if view.quantity]
    return Count(
        current=len(held),
        max=api.readers.settings().risk.max_open_positions,
        total_stake=float(sum((abs(view.notional) for view in held), ZERO)),
    )


async def balance(api: Api, call: Call) -> Balance:
    account, tickers = _account(api), api.readers.tickers()
    quote = account.quote_currency
    start = _start_equity(api, account)
    rows = []
    for wallet in account.wallets:
        ticker = tickers.get(f"t{wallet.currency}{quote}") or tickers.get(f"t{wallet.currency}:{quote}")
        price = 1.0 if wallet.currency == quote else None if ticker is None else ticker.last
        free = wallet.balance if wallet.available is None else wallet.available
        rows.append(
            CurrencyBalance(
                currency=wallet.currency,
                wallet=wallet.wallet_type,
                free=float(free),
                balance=float(wallet.balance),
                used=float(wallet.balance - free),
                est_stake=None if price is None else float(wallet.balance) * price,
                stake=quote,
            )
        )
    ratio = _share(_made(api, account), start)
    return Balance(
        currencies=tuple(rows),
        total=float(account.equity),
        symbol=quote,
        stake=quote,
        starting_capital=float(start),
        starting_capital_ratio=ratio,
        starting_capital_pct=100 * ratio,
        note="" if api.readers.status().mode == "live" else "Simulated balances",
    )


def _symbols(closed: ClosedTotals) -> tuple[SymbolPerformance, ...]:
    return tuple(
        SymbolPerformance(
            pair=row.symbol,
            profit=100 * row.ratio,
            profit_ratio=row.ratio,
            profit_pct=100 * row.ratio,
            profit_abs=float(row.profit),
            count=row.trades,
        )
        for row in by_symbol(closed)
    )


async def profit(api: Api, call: Call) -> Profit:
    account, told = _account(api), api.readers.closed()
    start, figures = _start_equity(api, account), api.readers.figures()
    groups = told.groups
    wins = [group for group in groups if group.outcome == WIN]
    losses = [group for group in groups if group.outcome == LOSS]
    trades, won, lost = trades_in(groups), trades_in(wins), trades_in(losses)
    closed, gained, given = profit_in(groups), profit_in(wins), -profit_in(losses)
    whole = _made(api, account)
    symbols = _symbols(told)
    held = sum(1 for view in account.positions if view.quantity)
    expectancy = float(closed / trades) if trades else None
    return Profit(
        profit_closed_coin=float(closed),
        profit_closed_ratio=_share(closed, start),
        profit_closed_percent=100 * _share(closed, start),
        profit_all_coin=float(whole),
        profit_all_ratio=_share(whole, start),
        profit_all_percent=100 * _share(whole, start),
        trade_count=trades + held,
        closed_trade_count=trades,
        first_trade_timestamp=told.first_entry_ms,
        latest_trade_timestamp=told.last_exit_ms,
        avg_duration_s=mean_held_s(groups),
        best_pair=symbols[0].pair if symbols else "",
        best_pair_profit_ratio=symbols[0].profit_ratio if symbols else 0.0,
        winning_trades=won,
        losing_trades=lost,
        profit_factor=float(gained / given) if given > 0 else None,
        winrate=won / trades if trades else None,
        expectancy=expectancy,
        expectancy_ratio=None if expectancy is None or given <= 0 else expectancy / float(given / lost),
        max_drawdown=0.0 if figures is None else figures.max_drawdown,
        trading_volume=float(sum((group.volume for group in groups), ZERO)),
        bot_start_timestamp=api.readers.status().started_ms,
        fees=float(account.fees),
        figures=figures,
        by_symbol=symbols,
    )


def _share(part: Decimal, whole: Decimal) -> float:
    return float(part / whole) if whole > 0 else 0.0


async def stats(api: Api, call: Call) -> Stats:
    closed = api.readers.closed()
    mean = durations(closed)
    reasons = exit_reasons(closed)
    return Stats(
        exit_reasons={
            name: Outcome(wins=row.wins, losses=row.losses, draws=row.draws) for name, row in sorted(reasons.items())
        },
        durations=MeanDurations(wins=mean.wins, losses=mean.losses, draws=mean.draws),
    )


def _periods(api: Api, call: Call, unit: Unit) -> Periods:
    query: PeriodsQuery = call.query
    account = _account(api)
    rows = by_period(
        api.readers.closed(),
        unit=unit,
        count=query.timescale,
        now_ms=_now_ms(api),
        start_equity=_start_equity(api, account),
    )
    return Periods(
        data=tuple(
            Period(
                date=row.first_day,
                abs_profit=float(row.profit),
                rel_profit=row.ratio,
                starting_balance=float(row.starting_equity),
                fiat_value=float(row.profit),
                trade_count=row.trades,
            )
            for row in rows
        ),
        fiat_display_currency=account.quote_currency,
        stake_currency=account.quote_currency,
    )


async def daily(api: Api, call: Call) -> Periods:
    return _periods(api, call, Unit.DAY)


async def weekly(api: Api, call: Call) -> Periods:
    return _periods(api, call, Unit.WEEK)


async def monthly(api: Api, call: Call) -> Periods:
    return _periods(api, call, Unit.MONTH)


async def locks(api: Api, call: Call) -> FamiliarLocks:
    risk = api.readers.risk()
    rows = () if risk is None else risk.locks
    return FamiliarLocks(
        lock_count=len(rows),
        locks=tuple(
            FamiliarLock(
                id=lock.lock_id,
                active=True,
                lock_timestamp=lock.created_ms,
                lock_end_timestamp=lock.until_ms,
                pair=lock.symbol or "*",
                side="*",
                reason=lock.reason,
            )
            for lock in rows
        ),
    )


async def stopentry(api: Api, call: Call) -> Said:
    command = SetPaused(paused=True, reason="stopentry", actor=call.subject, correlation_id=f"api:{api.new_id()}")
    done = "No more entries from now on. POST /api/v2/risk/unified/resume allows them again."
    return Said(status=(await tell_risk(api, command, done)).message)


async def forceexit(api: Api, call: Call) -> ExitResult:
    body: ForceExitBody = call.body
    named = body.symbol or body.tradeid
    if named is None or (body.symbol is not None and body.tradeid not in (None, body.symbol)):
        raise ApiError(422, "exactly one of tradeid and symbol must be given, or both the same")
    symbol = None if named == "all" else named
    held = {view.symbol for view in _account(api).positions if view.quantity}
    if symbol is not None and symbol not in held:
        raise ApiError(404, f"no position in {symbol} is held", code="no_position")
    accepted = await close_everything(api, symbol, f"{body.reason} ({call.subject})")
    return ExitResult(result=f"Created exit order for {named}.", correlation_id=accepted.correlation_id)


async def show_config(api: Api, call: Call) -> ShownConfig:
    status, settings = api.readers.status(), api.readers.settings()
    first = next((strategy for strategy in settings.strategies if strategy.enabled), None)
    timeframe = "" if first is None else first.timeframe
    return ShownConfig(
        version=status.version,
        api_version=API_VERSION,
        dry_run=status.mode != "live",
        runmode=status.mode,
        state=_state(api),
        bot_name=status.instance or "genesis",
        exchange="bitfinex",
        trading_mode="spot",
        stake_currency=settings.quote_currency,
        max_open_trades=settings.risk.max_open_positions,
        stoploss=-float(settings.risk.stop_fraction),
        trailing_stop=settings.risk.stop_trails,
        timeframe=timeframe,
        timeframe_ms=TIMEFRAME_MS.get(timeframe, 0),
        strategy="" if first is None else first.name,
        strategies=tuple(strategy.name for strategy in settings.strategies if strategy.enabled),
        pairs=settings.market.symbols,
        force_entry_enable=api.controls.order is not None,
        settings_version=settings.version,
    )


def _state(api: Api) -> str:
    risk = api.readers.risk()
    if risk is None:
        return "starting"
    return "paused" if risk.paused and risk.state.value == "ACTIVE" else risk.state.value.lower()


_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_SAID_APART: Final = ("timestamp", "level", "logger", "event")


async def logs(api: Api, call: Call) -> Logs:
    query: LogsQuery = call.query
    wanted = query.text.lower()
    lines: list[LogLine] = []
    for text in reversed(api.readers.log_lines()):
        row = msgspec.json.decode(text, type=dict[str, Any])
        if _LEVELS.get(row.get("level", ""), 0) < _LEVELS[query.level] or wanted not in text.lower():
            continue
        lines.append(
            LogLine(
                at=str(row.get("timestamp", "")),
                level=str(row.get("level", "")),
                logger=str(row.get("logger", "")),
                event=str(row.get("event", "")),
                values={name: value for name, value in row.items() if name not in _SAID_APART},
            )
        )
        if len(lines) == query.limit:
            break
    return Logs(log_count=len(lines), logs=tuple(_familiar_row(line) for line in lines), lines=tuple(lines))


def _familiar_row(line: LogLine) -> tuple[str, int, str, str, str]:
    at_ms = 0
    with contextlib.suppress(ValueError):
        at_ms = int(datetime.fromisoformat(line.at).timestamp() * 1000)
    said = " ".join(f"{name}={value}" for name, value in line.values.items())
    return line.at[:23].replace("T", " "), at_ms, line.logger, line.level.upper(), f"{line.event} {said}".rstrip()


async def sysinfo(api: Api, call: Call) -> SystemInfo:
    return api.system.look()
