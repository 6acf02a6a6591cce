"""What a chat may ask and command: one line in, one text out, over the same readers and controls as the page.

The familiar names of freqtrade's Telegram commands answer. What can cost money is done in two steps: the first answer
says what would happen and gives a code that is good for a minute, and only `/confirm CODE` does it.
"""

import random
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Final

import attrs
import structlog

from genesis.core.clock import Clock
from genesis.domain.profit_report import (
    LOSS,
    WIN,
    PeriodProfit,
    Unit,
    by_period,
    by_symbol,
    exit_reasons,
    profit_in,
    trades_in,
)
from genesis.domain.risk_codes import sentence
from protocols.account import ClosedGroup
from protocols.orders import TERMINAL_STATES, CancelIntent, Flatten, OrderView
from protocols.risk import (
    AddLock,
    Lock,
    ManualOrder,
    RemoveLock,
    RiskCommand,
    SetPaused,
    SetTradingState,
    TradingState,
)
from protocols.units import ZERO, Symbol, plain
from web.bodies import OrderBody
from web.controls import Busy, ControlError, Controls
from web.errors import ApiError
from web.flattening import left_within
from web.intents import intent_of
from web.models import StopView
from web.readers import Readers
from web.stops import stops_of

CONFIRM_WITHIN_S: Final = 60.0
LOOK_FOR_S: Final = 4.0
"""How long a close is looked after before it is answered. No other command of the chat is heard meanwhile."""
LINES: Final = 15
ACTOR: Final = "telegram"

log = structlog.get_logger("genesis.chat")


@attrs.frozen(kw_only=True)
class _Waiting:
    what: str
    until: float
    act: Callable[[], Awaitable[str]]


@attrs.define(eq=False, kw_only=True)
class ChatDesk:
    """`clock` is the engine's; only its monotonic time is used."""

    readers: Readers
    controls: Controls
    clock: Clock
    chance: random.Random
    _waiting: dict[str, _Waiting] = attrs.field(factory=dict, init=False)
    _asked: int = attrs.field(default=0, init=False)

    async def answer(self, line: str) -> str:
        """The text for one line that begins with a slash. Never raises for what people type."""
        words = line.split()
        # In a group a command may be addressed: /status@bot.
        name = words[0].split("@")[0].lower() if words else ""
        command = _COMMANDS.get(name)
        if command is None:
            return f"{name[:30] or 'nothing'} must be a command that /help lists"
        try:
            return await command[0](self, words[1:])
        except Busy as error:
            return f"{error}; say it again in a moment"
        except ControlError as error:
            return f"not done: {error}"
        except ApiError as error:
            return error.message
        except Exception as error:
            # Whoever is in the street needs an answer; the fault is in the log.
            log.error("command_failed", command=name, error=f"{type(error).__name__}: {error}")
            return f"{name} failed inside the engine; its log says why"

    # --- asking -----------------------------------------------------------------------------------------------------

    async def help(self, _: list[str]) -> str:
        return "\n".join(f"{name} {text}" for name, (_, text) in _COMMANDS.items() if text)

    async def status(self, words: list[str]) -> str:
        wanted = words[0].upper() if words and words[0] != "table" else None
        account, risk, engine = self.readers.account(), self.readers.risk(), self.readers.status()
        state = "not ready" if risk is None else risk.state.value + (", entries paused" if risk.paused else "")
        lines = [f"{engine.mode}, {state}"]
        if account is not None:
            lines.append(f"equity {_money(account.equity)} {account.quote_currency}")
            books = self.readers.brackets()
            for held in account.positions:
                if not held.quantity or wanted not in (None, held.symbol.upper()):
                    continue
                stops = ", ".join(map(_where, stops_of(held.symbol, books)))
                lines.append(
                    f"{held.symbol}: {plain(held.quantity)} at {_price(held.average_price)}, now "
                    f"{plain(held.mark_price)}, {_signed(held.unrealized_pnl)}, "
                    f"{'stop ' + stops if stops else 'NO STOP'}"
                )
            if len(lines) == 2:
                lines.append("no position is held")
        return "\n".join(lines)

    async def orders(self, _: list[str]) -> str:
        rows = [_row(order) for order in self.readers.orders() if order.state not in TERMINAL_STATES]
        return "\n".join(rows[-LINES:]) or "no order is open"

    async def trades(self, words: list[str]) -> str:
        rows = [
            f"{fill.side.value} {plain(fill.quantity)} {fill.symbol} at {plain(fill.price)} ({fill.purpose.value})"
            for fill in self.readers.fills()
        ]
        return "\n".join(rows[-_count(words) :]) or "nothing was traded yet"

    async def profit(self, words: list[str]) -> str:
        if words:
            rows = self._periods(words, Unit.DAY)
            made_quote, trades = sum((row.profit for row in rows), ZERO), sum(row.trades for row in rows)
            return f"{_signed(made_quote)} in {trades} trades of {len(rows)} days"
        told = self.readers.performance()
        if told is None:
            return "no figures yet"
        made, groups = told.measures, self.readers.closed().groups
        wins = trades_in(each for each in groups if each.outcome == WIN)
        losses = trades_in(each for each in groups if each.outcome == LOSS)
        trades = trades_in(groups)
        return "\n".join(
            (
                f"profit {_signed(made.profit)} ({made.total_return:+.2%}), equity {_money(made.final_equity)}",
                f"{trades} trades, {wins} won, {losses} lost" + (f", winrate {wins / trades:.0%}" if trades else ""),
                f"deepest fall {made.max_drawdown:.2%}"
                + (f", profit factor {made.profit_factor:.2f}" if made.profit_factor is not None else "")
                + (f", Sharpe {made.sharpe:.2f}" if made.sharpe is not None else ""),
            )
        )

    def _periods(self, words: list[str], unit: Unit) -> Sequence[PeriodProfit]:
        account = self.readers.account()
        count = int(words[0]) if words and words[0].isdecimal() and 0 < int(words[0]) <= 60 else 7
        start = ZERO if account is None else account.equity - account.unrealized_pnl - account.realized_pnl
        return by_period(
            self.readers.closed(),
            unit=unit,
            count=count,
            now_ms=self.readers.status().venue_ms or self.clock.wall_ms(),
            start_equity=start,
        )

    def _by(self, words: list[str], unit: Unit) -> str:
        rows = self._periods(words, unit)
        return "\n".join(
            f"{row.first_day}: {_signed(row.profit)} ({row.ratio:+.2%}), {row.trades} trades" for row in rows
        )

    async def daily(self, words: list[str]) -> str:
        return self._by(words, Unit.DAY)

    async def weekly(self, words: list[str]) -> str:
        return self._by(words, Unit.WEEK)

    async def monthly(self, words: list[str]) -> str:
        return self._by(words, Unit.MONTH)

    async def performance(self, _: list[str]) -> str:
        rows = by_symbol(self.readers.closed())
        return (
            "\n".join(f"{row.symbol}: {_signed(row.profit)}, {row.trades} trades" for row in rows)
            or "no trade has ended"
        )

    async def exits(self, _: list[str]) -> str:
        told = exit_reasons(self.readers.closed())
        rows = [f"{name}: {one.wins} won, {one.losses} lost, {one.draws} even" for name, one in sorted(told.items())]
        return "\n".join(rows) or "no trade has ended"

    async def entries(self, words: list[str]) -> str:
        return self._outcomes(words, lambda group: group.strategy)

    async def mix_tags(self, words: list[str]) -> str:
        return self._outcomes(words, lambda group: f"{group.strategy}, {group.exit_reason or 'unknown'}")

    def _outcomes(self, words: list[str], name_of: Callable[[ClosedGroup], str]) -> str:
        groups: dict[str, list[ClosedGroup]] = {}
        for group in self.readers.closed().parts:
            if not words or group.symbol.upper() == words[0].upper():
                groups.setdefault(name_of(group), []).append(group)
        rows = [
            f"{name}: {_signed(profit_in(several))}, {trades_in(several)} trades, "
            f"{trades_in(one for one in several if one.outcome == WIN)} won"
            for name, several in sorted(groups.items())
        ]
        return "\n".join(rows) or "no trade has ended"

    async def regime(self, words: list[str]) -> str:
        rows = [
            f"{one.symbol} {one.timeframe}: {one.regime.value} for {one.bars} candles"
            for one in self.readers.regimes()
            if not words or one.symbol.upper() == words[0].upper()
        ]
        return "\n".join(rows[:50]) or "no regime is known yet"

    async def whitelist(self, _: list[str]) -> str:
        return ", ".join(self.readers.settings().market.symbols)

    async def balance(self, _: list[str]) -> str:
        account = self.readers.account()
        if account is None:
            return "the account is not known yet"
        rows = [f"{wallet.wallet_type} {plain(wallet.balance)} {wallet.currency}" for wallet in account.wallets]
        return "\n".join([f"equity {_money(account.equity)} {account.quote_currency}", *rows])

    async def risk(self, _: list[str]) -> str:
        status = self.readers.risk()
        if status is None:
            return "risk has not spoken yet"
        lines = [f"{status.state.value}{': ' + status.reason if status.reason else ''}"]
        if status.paused:
            lines.append(f"entries paused: {status.paused_reason}")
        lines += [f"{name}: {used} of {allowed}" for name, (used, allowed) in sorted(status.headroom.items())]
        lines += [
            f"breaker {one.scope or 'all'}: {one.state.value} ({one.cause})"
            for one in status.breakers
            if one.state.value != "closed"
        ]
        return "\n".join(lines)

    async def locks(self, _: list[str]) -> str:
        status = self.readers.risk()
        rows = [] if status is None else [f"{lock.lock_id}: {_place(lock)}: {lock.reason}" for lock in status.locks]
        return "\n".join(rows) or "nothing is locked"

    async def count(self, _: list[str]) -> str:
        account, settings = self.readers.account(), self.readers.settings()
        held = 0 if account is None else sum(bool(one.quantity) for one in account.positions)
        return f"{held} of {settings.risk.max_open_positions} positions"

    async def health(self, _: list[str]) -> str:
        stale = [
            f"{one.stream} {one.symbol} {one.age_ms / 1000:.0f} s" for one in self.readers.freshness() if one.stale
        ]
        lines = [f"{one.name}: {one.status}" for one in self.readers.connections() if one.status != "idle"]
        naked = self.readers.protection().naked
        lines.append(f"{naked} positions without their stop" if naked else "every position has its stop")
        lines.append(f"old data: {', '.join(stale)}" if stale else "all data is fresh")
        return "\n".join(lines)

    async def logs(self, words: list[str]) -> str:
        rows = [f"{notice.level}: {notice.text}" for notice in self.readers.notices()]
        return "\n".join(rows[-_count(words) :]) or "no notices"

    async def version(self, _: list[str]) -> str:
        return f"Genesis {self.readers.status().version}"

    async def show_config(self, _: list[str]) -> str:
        settings = self.readers.settings()
        lines = [f"settings version {settings.version}"]
        lines += [
            f"{one.name}: {one.kind} {one.symbol} {one.timeframe}{'' if one.enabled else ' (off)'}"
            for one in settings.strategies
        ]
        return "\n".join(lines)

    # --- commanding -------------------------------------------------------------------------------------------------

    async def confirm(self, words: list[str]) -> str:
        waiting = self._waiting.pop(words[0], None) if words else None
        if waiting is None or waiting.until < self.clock.now():
            return "the code must be one that was given within the last minute"
        return await waiting.act()

    async def stopentry(self, _: list[str]) -> str:
        # It only takes risk away, so nobody is asked twice.
        command = SetPaused(paused=True, reason="/stopentry", actor=ACTOR, correlation_id=self._id())
        return await self._risk(command, "entries are paused; exits and stops go on. /resume allows them again")

    async def resume(self, _: list[str]) -> str:
        async def act() -> str:
            command = SetPaused(paused=False, reason="/resume", actor=ACTOR, correlation_id=self._id())
            return await self._risk(command, "entries are allowed again")

        return self._ask("entries will be allowed again", act)

    async def stop(self, _: list[str]) -> str:
        done = "trading is halted, also over restarts; stops stay at the venue. /start resumes"
        return await self._risk(self._state(TradingState.HALTED, "/stop"), done)

    async def start(self, _: list[str]) -> str:
        status = self.readers.risk()
        if status is not None and status.state is TradingState.ACTIVE:
            return await self.status([]) + "\n/help lists what I answer"

        async def act() -> str:
            return await self._risk(self._state(TradingState.ACTIVE, "/start"), "trading is active")

        return self._ask("trading will be active again, and the fall so far forgiven", act)

    async def forceexit(self, words: list[str]) -> str:
        account = self.readers.account()
        held = {one.symbol for one in account.positions if one.quantity} if account is not None else set()
        if not words or (words[0] != "all" and words[0] not in held):
            return f"/forceexit must name a position or all; held: {', '.join(sorted(held)) or 'none'}"
        symbol = None if words[0] == "all" else Symbol(words[0])

        async def act() -> str:
            control = self.controls.flatten
            assert control is not None, "every engine has it"
            name = self._id()
            await control(Flatten(symbol=symbol, reason="/forceexit", correlation_id=name))
            left, _ = await left_within(self.readers, self.clock, name, symbol, LOOK_FOR_S)
            told = left.text if left.is_nothing else f"closing; after {LOOK_FOR_S:.0f} s {left.text}: see /status"
            return f"{symbol or 'everything'}: {told}"

        return self._ask(f"{symbol or 'EVERYTHING'} will be closed at market, its orders canceled", act)

    async def cancel(self, words: list[str]) -> str:
        if not words:
            return "/cancel must name an order of /orders, or all"
        intent_id = None if words[0] == "all" else words[0]

        async def act() -> str:
            control = self.controls.cancel
            assert control is not None, "every engine has it"
            await control(CancelIntent(intent_id=intent_id, reason="/cancel", correlation_id=self._id()))
            return f"canceling {intent_id or 'every open order'}"

        return self._ask(f"{intent_id or 'EVERY open order'} will be canceled; positions get new stops", act)

    async def forcelong(self, words: list[str]) -> str:
        return self._enter(words, "buy", "EXCHANGE ")

    async def forceshort(self, words: list[str]) -> str:
        # What is not held can be sold on margin only.
        return self._enter(words, "sell", "")

    def _enter(self, words: list[str], side: str, wallet: str) -> str:
        status = self.readers.status()
        try:
            symbol, amount, *price = words
            body = OrderBody(
                symbol=_symbol(symbol, self.readers.settings().market.symbols),
                side=side,
                amount=Decimal(amount),
                type=wallet + ("LIMIT" if price else "MARKET"),
                price=Decimal(price[0]) if price else None,
            )
            name = f"manual:{self._id()}"
            intent = intent_of(
                body,
                intent_id=name,
                decided_ms=status.venue_ms or self.clock.wall_ms(),
                received_ns=self.clock.now_ns(),
            )
        except (ValueError, ArithmeticError):
            return "it must say SYMBOL AMOUNT and perhaps a limit PRICE, as in tBTCUSD 0.01 or tBTCUSD 0.01 42000"

        async def act() -> str:
            control = self.controls.order
            assert control is not None, "every engine has it"
            verdict = await control(ManualOrder(intent=intent, actor=ACTOR))
            if verdict is None:
                return f"{name} is under way; /orders shows it"
            if not verdict.approved:
                return f"refused: {'; '.join(f'{rule.code}: {sentence(rule)}' for rule in verdict.denials)}"
            return f"{name} is sent; its stop follows its first fill"

        at = f"at {plain(intent.price)} or better" if intent.price is not None else "at market"
        what = f"{side} {plain(intent.quantity)} {intent.symbol} {at}{'' if wallet else ' on margin'}"
        return self._ask(f"{what}: risk judges it as any other", act)

    async def blacklist(self, words: list[str]) -> str:
        if words:
            symbol = _symbol(words[0], self.readers.settings().market.symbols)
            # It only takes risk away, so nobody is asked twice.
            return await self._risk(
                AddLock(
                    symbol=symbol,
                    strategy=None,
                    duration_s=None,
                    reason="/blacklist",
                    actor=ACTOR,
                    correlation_id=self._id(),
                ),
                f"no entries in {symbol} any more; exits and stops go on. /blacklist_delete {symbol} ends it",
            )
        status = self.readers.risk()
        locked = (
            set() if status is None else {lock.symbol for lock in status.locks if lock.symbol and not lock.strategy}
        )
        return ", ".join(sorted(locked)) or "no symbol is locked"

    async def blacklist_delete(self, words: list[str]) -> str:
        status = self.readers.risk()
        locks = () if status is None else status.locks
        wanted = words[0].upper() if words else ""
        found = [lock for lock in locks if lock.symbol and lock.symbol.upper() == wanted and not lock.strategy]
        if not found:
            return f"/blacklist_delete must name a symbol of /blacklist, was {wanted[:30] or 'nothing'}"

        async def act() -> str:
            told = f"{found[0].symbol} is open for entries again"
            for lock in found:
                name, reason = lock.lock_id, "/blacklist_delete"
                command = RemoveLock(lock_id=name, reason=reason, actor=ACTOR, correlation_id=self._id())
                told = await self._risk(command, told)
            return told

        return self._ask(f"{found[0].symbol} will be open for entries again", act)

    async def reload_config(self, _: list[str]) -> str:
        version = self.readers.settings().version
        return (
            f"nothing to reload: settings change while running (version {version} is in force). "
            "`genesis config set` or the page changes them; files in config/ are read at the start"
        )

    async def reload_trade(self, _: list[str]) -> str:
        return "nothing to reload: the books are compared with the venue's all the time; /health says how they stand"

    async def delete(self, _: list[str]) -> str:
        return "nothing can be deleted: the journal keeps what happened. /forceexit closes a position, /cancel an order"

    async def unlock(self, words: list[str]) -> str:
        status = self.readers.risk()
        known = set() if status is None else {lock.lock_id for lock in status.locks}
        if not words or words[0] not in known:
            return f"/unlock must name a lock; there are: {', '.join(sorted(known)) or 'none'}"

        async def act() -> str:
            command = RemoveLock(lock_id=words[0], reason="/unlock", actor=ACTOR, correlation_id=self._id())
            return await self._risk(command, f"{words[0]} is removed")

        return self._ask(f"{words[0]} will be removed", act)

    # --- parts ------------------------------------------------------------------------------------------------------

    def _ask(self, what: str, act: Callable[[], Awaitable[str]]) -> str:
        now = self.clock.now()
        self._waiting = {code: one for code, one in self._waiting.items() if one.until >= now}
        code = f"{self.chance.randrange(10_000):04d}"
        self._waiting[code] = _Waiting(what=what, until=now + CONFIRM_WITHIN_S, act=act)
        return f"{what}. To do it send /confirm {code} within a minute"

    def _id(self) -> str:
        self._asked += 1
        return f"chat:{self._asked}:{self.clock.wall_ms()}"

    def _state(self, state: TradingState, reason: str) -> SetTradingState:
        return SetTradingState(state=state, reason=reason, actor=ACTOR, correlation_id=self._id())

    async def _risk(self, command: RiskCommand, done: str) -> str:
        control = self.controls.risk
        assert control is not None, "every engine has it"
        return done if await control(command) else f"risk has not answered yet: look at /risk. Wanted: {done}"


_Command = Callable[[ChatDesk, list[str]], Awaitable[str]]
_COMMANDS: Final[dict[str, tuple[_Command, str]]] = {
    "/help": (ChatDesk.help, "this list"),
    "/status": (ChatDesk.status, "[SYMBOL] equity, positions and their stops"),
    "/positions": (ChatDesk.status, ""),
    "/orders": (ChatDesk.orders, "open orders"),
    "/order": (ChatDesk.orders, ""),
    "/trades": (ChatDesk.trades, "[n] the newest fills"),
    "/profit": (ChatDesk.profit, "[n days] what was made and lost"),
    "/performance": (ChatDesk.performance, "profit by symbol"),
    "/daily": (ChatDesk.daily, "[n] profit by day"),
    "/weekly": (ChatDesk.weekly, "[n] profit by week"),
    "/monthly": (ChatDesk.monthly, "[n] profit by month"),
    "/exits": (ChatDesk.exits, "how trades ended"),
    "/entries": (ChatDesk.entries, "[SYMBOL] profit by strategy"),
    "/mix_tags": (ChatDesk.mix_tags, "[SYMBOL] profit by strategy and end"),
    "/whitelist": (ChatDesk.whitelist, "symbols that are traded"),
    "/blacklist": (ChatDesk.blacklist, "[SYMBOL] no entries there, at once; alone: what is locked"),
    "/blacklist_delete": (ChatDesk.blacklist_delete, "SYMBOL allow entries there again (asks)"),
    "/regime": (ChatDesk.regime, "[SYMBOL] what kind of market it is"),
    "/marketdir": (ChatDesk.regime, ""),
    "/stats": (ChatDesk.profit, ""),
    "/balance": (ChatDesk.balance, "wallets"),
    "/risk": (ChatDesk.risk, "state, limits used, breakers"),
    "/locks": (ChatDesk.locks, "what is locked"),
    "/count": (ChatDesk.count, "positions held and allowed"),
    "/health": (ChatDesk.health, "connections, stops, age of data"),
    "/sysinfo": (ChatDesk.health, ""),
    "/logs": (ChatDesk.logs, "[n] the newest notices"),
    "/show_config": (ChatDesk.show_config, "strategies and settings version"),
    "/version": (ChatDesk.version, "of the engine"),
    "/stopentry": (ChatDesk.stopentry, "no more entries, at once"),
    "/pause": (ChatDesk.stopentry, ""),
    "/resume": (ChatDesk.resume, "allow entries again (asks)"),
    "/stop": (ChatDesk.stop, "halt trading, at once"),
    "/halt": (ChatDesk.stop, ""),
    "/start": (ChatDesk.start, "resume after a halt (asks)"),
    "/forcelong": (ChatDesk.forcelong, "SYMBOL AMOUNT [PRICE] buy (asks)"),
    "/forceenter": (ChatDesk.forcelong, ""),
    "/forceshort": (ChatDesk.forceshort, "SYMBOL AMOUNT [PRICE] sell on margin (asks)"),
    "/forceexit": (ChatDesk.forceexit, "SYMBOL|all close at market (asks)"),
    "/cancel": (ChatDesk.cancel, "ORDER|all take an order back (asks)"),
    "/cancel_open_order": (ChatDesk.cancel, ""),
    "/unlock": (ChatDesk.unlock, "LOCK remove a lock (asks)"),
    "/reload_config": (ChatDesk.reload_config, ""),
    "/reload_trade": (ChatDesk.reload_trade, ""),
    "/delete": (ChatDesk.delete, ""),
    "/confirm": (ChatDesk.confirm, "CODE do what was asked"),
}


def _symbol(text: str, known: Sequence[str]) -> Symbol:
    """As it is written here: nobody types tBTCUSD with its capitals on a telephone. Raises ApiError."""
    found = {one.upper(): one for one in known} | {one.upper().removeprefix("T"): one for one in known}
    try:
        return Symbol(found[text.upper()])
    except KeyError:
        raise ApiError(422, f"symbol must be one of {', '.join(known)}, was {text[:30]}") from None


def _row(order: OrderView) -> str:
    price = order.price if order.price is not None else order.stop_price
    what = f"{order.side.value} {plain(order.leaves_quantity)} {order.symbol} {order.order_type.value.lower()}"
    at = f" {plain(price)}" if price is not None else ""
    return f"{order.intent_id or order.venue_id}: {what}{at} {order.state.value}{' (foreign)' if order.foreign else ''}"


def _where(stop: StopView) -> str:
    if stop.price is not None:
        return plain(stop.price)
    return "at the venue" if stop.trailing_distance is None else f"trails {plain(stop.trailing_distance)}"


def _count(words: list[str]) -> int:
    return min(int(words[0]), 50) if words and words[0].isdecimal() and int(words[0]) > 0 else LINES


def _money(value: Decimal) -> str:
    return f"{value:,.2f}"


def _price(value: Decimal) -> str:
    return plain(Decimal(f"{value:.7g}"))


def _signed(value: Decimal) -> str:
    return f"{value:+,.2f}"


def _place(lock: Lock) -> str:
    return " ".join(part for part in (lock.symbol, lock.strategy) if part) or "everything"
