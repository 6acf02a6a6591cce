"""The risk routes: limits and windows go through the config actor, locks and breakers through risk.

Tightening takes a token of trade scope, loosening one of admin: which is which is the domain's to say.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from genesis.domain.config_keys import KEYS
from genesis.domain.decision_search import DecisionSearch, search
from genesis.domain.limit_changes import SECTION, STRICTER, loosened
from genesis.domain.risk_codes import RULE_TEXTS, advice, reasons
from genesis.domain.risk_status import windows_view
from genesis.domain.whose_coins import taken_from_others
from genesis.domain.windows import days_of_texts, texts_of_days
from protocols.config import SetSettings
from protocols.risk import (
    AddLock,
    BreakerState,
    ConditionKind,
    EvaluateOrder,
    RemoveLock,
    ResetBreaker,
    ResetPeaks,
    RiskStatus,
    SetPaused,
)
from web.api import Api, Call
from web.bodies import BracketBody, FlattenBody, FlattenedQuery
from web.commands import flatten as close_all
from web.commands import tell_risk
from web.config_commands import tell_config
from web.errors import ApiError
from web.flattening import Left, ended_within, left_of, left_within, wish_of
from web.intents import check_market, intent_of
from web.models import Accepted
from web.risk_bodies import (
    BreakerResetBody,
    DecisionSearchQuery,
    LimitsBody,
    LockBody,
    MaxTradesBody,
    MaxTradesSymbolBody,
    PeaksResetBody,
    WindowsBody,
)
from web.risk_models import (
    Breakers,
    Codes,
    CodeView,
    DecisionsAnswer,
    Evaluation,
    Flattening,
    Flattenings,
    Limits,
    LimitsChanged,
    LimitView,
    Locks,
    ToldDecision,
    TradeCounter,
    Windows,
)
from web.tokens import Scope


def _plain(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def _status(api: Api) -> RiskStatus:
    status = api.readers.risk()
    if status is None:
        raise ApiError(503, "risk has not spoken yet", code="not_ready", headers={"Retry-After": "1"})
    return status


# --- limits -------------------------------------------------------------------------------------------------------


async def limits(api: Api, call: Call) -> Limits:
    settings = api.readers.settings()
    views = []
    for name, value in _plain(settings.risk).items():
        key = KEYS[SECTION + name]
        stricter = STRICTER[name].value if name in STRICTER else "an admin says"
        views.append(
            LimitView(
                name=name,
                value=value,
                default=_plain(key.default),
                unit=key.unit,
                range=key.range_text,
                meaning=key.meaning,
                stricter=stricter,
            )
        )
    return Limits(version=settings.version, limits=tuple(views))


async def set_limits(api: Api, call: Call) -> LimitsChanged:
    body: LimitsBody = call.body
    changes = {name if name.startswith(SECTION) else SECTION + name: value for name, value in body.changes.items()}
    foreign = [path for path in changes if path not in KEYS]
    if foreign:
        raise ApiError(422, f"{foreign[0][:80]} must be a limit of risk, was unknown", code="invalid")
    return await _change(api, call, changes, body.reason, body.expected_version)


async def set_max_trades(api: Api, call: Call) -> LimitsChanged:
    body: MaxTradesBody = call.body
    return await _change(api, call, {"risk.max_trades_per_day": body.max_trades_per_day}, body.reason)


async def set_max_trades_symbol(api: Api, call: Call) -> LimitsChanged:
    body: MaxTradesSymbolBody = call.body
    changes = {"risk.max_trades_per_symbol": body.max_trades_per_symbol_per_day}
    return await _change(api, call, changes, body.reason)


async def _change(
    api: Api, call: Call, changes: Mapping[str, Any], reason: str, expected_version: int | None = None
) -> LimitsChanged:
    """Hand the change to the config actor, unless it loosens more than the token may."""
    looser = loosened(api.readers.settings().risk, changes)
    if looser and (call.claims is None or call.claims.scope < Scope.ADMIN):
        raise ApiError(403, f"loosening {', '.join(looser)} takes a token of admin scope", code="scope_too_low")
    correlation_id = f"api:{api.new_id()}"
    wish = SetSettings(
        changes=dict(changes),
        actor=call.subject,
        reason=reason,
        expected_version=expected_version,
        correlation_id=correlation_id,
    )
    reply = await tell_config(api, wish)
    changed = ", ".join(reply.changed) or "nothing"
    return LimitsChanged(
        accepted=True,
        correlation_id=correlation_id,
        message=f"settings version {reply.version}: {changed} changed",
        version=reply.version,
        changed=reply.changed,
        pending=reply.pending,
    )


# --- windows ------------------------------------------------------------------------------------------------------


async def windows(api: Api, call: Call) -> Windows:
    risk, status = api.readers.settings().risk, api.readers.risk()
    at_ms = api.readers.status().venue_ms or (status.now_ms if status is not None else 0)
    return Windows(
        timezone=risk.windows_timezone,
        windows=days_of_texts(risk.windows),
        paused=status is not None and status.paused,
        now=windows_view(risk, at_ms),
    )


async def set_windows(api: Api, call: Call) -> LimitsChanged:
    body: WindowsBody = call.body
    try:
        texts = texts_of_days(body.windows)
    except ValueError as error:
        raise ApiError(422, str(error), code="invalid") from None
    if body.windows and not texts:
        raise ApiError(422, "windows must open at some time, was never: pause trading instead", code="invalid")
    changes: dict[str, Any] = {"risk.windows": list(texts)}
    if body.timezone is not None:
        changes["risk.windows_timezone"] = body.timezone
    answer = await _change(api, call, changes, body.reason)
    if body.paused is not None and body.paused != _status(api).paused:
        correlation_id = answer.correlation_id
        pause = SetPaused(paused=body.paused, reason=body.reason, actor=call.subject, correlation_id=correlation_id)
        told = await tell_risk(api, pause, "entries are paused" if body.paused else "entries are allowed again")
        answer = msgspec.structs.replace(answer, message=f"{answer.message}; {told.message}")
    return answer


async def trade_counter(api: Api, call: Call) -> TradeCounter:
    status, risk = _status(api), api.readers.settings().risk
    return TradeCounter(
        day=status.day,
        timezone=risk.day_timezone,
        trades_today=status.trades_today,
        max_trades_per_day=risk.max_trades_per_day,
        trades_today_by_symbol=status.trades_today_by_symbol,
        max_trades_per_symbol_per_day=risk.max_trades_per_symbol,
    )


async def max_trades(api: Api, call: Call) -> TradeCounter:
    return await trade_counter(api, call)


# --- locks and breakers -------------------------------------------------------------------------------------------


async def locks(api: Api, call: Call) -> Locks:
    status = _status(api)
    return Locks(now_ms=status.now_ms, locks=status.locks)


async def add_lock(api: Api, call: Call) -> Accepted:
    body: LockBody = call.body
    correlation_id = f"api:{api.new_id()}"
    command = AddLock(
        symbol=body.symbol,
        strategy=body.strategy,
        duration_s=body.duration_s,
        reason=body.reason,
        actor=call.subject,
        correlation_id=correlation_id,
    )
    what = " of ".join(each for each in (body.symbol, body.strategy) if each) or "everything"
    return await tell_risk(api, command, f"entries in {what} are locked")


async def remove_lock(api: Api, call: Call) -> Accepted:
    lock_id = call.path["lock_id"]
    if all(lock.lock_id != lock_id for lock in _status(api).locks):
        raise ApiError(404, f"no lock is called {lock_id[:40]}", code="unknown_lock")
    correlation_id = f"api:{api.new_id()}"
    reason = f"removed by {call.subject}"
    command = RemoveLock(lock_id=lock_id, reason=reason, actor=call.subject, correlation_id=correlation_id)
    return await tell_risk(api, command, f"{lock_id} is removed")


async def breaker(api: Api, call: Call) -> Breakers:
    status = _status(api)
    is_open = any(each.state is not BreakerState.CLOSED for each in status.breakers)
    # Who says them is silent in a replay (`WatchdogActor.conditions`), and all of mode sim is one.
    replays = api.readers.status().mode == "sim"
    return Breakers(
        open=is_open,
        breakers=status.breakers,
        conditions=status.conditions,
        not_measured=tuple(ConditionKind) if replays else (),
    )


async def reset_breaker(api: Api, call: Call) -> Accepted:
    body: BreakerResetBody = call.body
    scope = "" if body.scope == "all" else body.scope
    if scope is not None and all(each.scope != scope for each in _status(api).breakers):
        raise ApiError(404, f"no breaker of {body.scope} ever opened", code="unknown_breaker")
    correlation_id = f"api:{api.new_id()}"
    command = ResetBreaker(scope=scope, reason=body.reason, actor=call.subject, correlation_id=correlation_id)
    return await tell_risk(api, command, f"trading breaker of {body.scope or 'every scope'} is closed")


async def reset_peaks(api: Api, call: Call) -> Accepted:
    body: PeaksResetBody = call.body
    correlation_id = f"api:{api.new_id()}"
    command = ResetPeaks(strategy=body.strategy, reason=body.reason, actor=call.subject, correlation_id=correlation_id)
    what = body.strategy or "the account and every strategy"
    return await tell_risk(api, command, f"drawdown of {what} is measured from now on")


# --- questions ----------------------------------------------------------------------------------------------------


async def evaluate(api: Api, call: Call) -> Evaluation:
    """Ask risk about an order that nobody places. Its numbers and levels are looked at as when it is placed."""
    body: BracketBody = call.body
    ask = api.controls.evaluate
    if ask is None:
        raise ApiError(404, "this engine does not have that control", code="no_such_control")
    decided_ms = api.readers.status().venue_ms or api.clock.wall_ms()
    intent_id = f"evaluate:{api.new_id()}"
    intent = intent_of(
        body, intent_id=intent_id, decided_ms=decided_ms, received_ns=api.clock.now_ns(), pairs=api.desk.pairs()
    )
    check_market(intent, api.readers.tickers().get(intent.symbol))
    verdict = await ask(EvaluateOrder(intent=intent, actor=call.subject))
    if verdict is None:
        raise ApiError(503, "risk has not answered yet", headers={"Retry-After": "1"})
    return Evaluation(
        approved=verdict.approved,
        verdict=verdict,
        reasons=reasons(verdict),
        advice=tuple(advice(result) for result in verdict.denials),
        takes=taken_from_others(api.readers.account(), intent),
    )


async def decisions(api: Api, call: Call) -> DecisionsAnswer:
    query: DecisionSearchQuery = call.query
    asked = DecisionSearch(
        about=query.about,
        symbol=query.symbol,
        strategy=query.strategy,
        code=query.code,
        rule=query.rule,
        approved=None if query.verdict == "all" else query.verdict == "approved",
        signal_id=query.signal_id,
        correlation_id=query.correlation_id,
        from_ms=query.from_ms,
        to_ms=query.to_ms,
        limit=query.limit,
        offset=query.offset,
    )
    look = api.controls.search
    found = search(reversed(api.readers.verdicts()), asked) if look is None else await look(asked)
    told = tuple(
        ToldDecision(verdict=verdict, reasons=reasons(verdict), not_sent=found.not_sent.get(verdict.verdict_id, ""))
        for verdict in found.verdicts
    )
    return DecisionsAnswer(total=found.total, searched=found.searched, decisions=told)


async def codes(api: Api, call: Call) -> Codes:
    return Codes(
        codes=tuple(
            CodeView(code=text.code.value, rule=rule, sentence=text.sentence, numbers=text.numbers, advice=text.advice)
            for rule, text in RULE_TEXTS.items()
        )
    )


# --- flatten ------------------------------------------------------------------------------------------------------


async def flatten(api: Api, call: Call) -> Flattening:
    """Cancel and close, then look for `wait_s` whether it came true."""
    body: FlattenBody = call.body
    begun = await close_all(api, call)
    left, waited_s = await left_within(api.readers, api.clock, begun.correlation_id, body.symbol, body.wait_s)
    return _told(begun.correlation_id, body.symbol, left, waited_s)


async def flattened(api: Api, call: Call) -> Flattening:
    """How far a wish to flatten, or to close a position, is."""
    query: FlattenedQuery = call.query
    name = call.path["flatten_id"]
    waited_s = await ended_within(api.readers, api.clock, name, query.wait_s)
    wish = wish_of(api.readers, name)
    if wish is None:
        told = f"no wish to flatten is known by {name[:80]}: it was not heard yet, or is older than the newest"
        raise ApiError(404, told, code="unknown_flatten")
    return _told(name, wish.symbol, left_of(api.readers, name, wish.symbol), waited_s)


async def flattens(api: Api, call: Call) -> Flattenings:
    """How far the wishes are that anybody began: whoever has lost the id of his own finds it here."""
    readers = api.readers
    return Flattenings(
        flattens=tuple(
            _told(wish.flatten_id, wish.symbol, left_of(readers, wish.flatten_id, wish.symbol), 0.0)
            for wish in reversed(readers.flattens())
        )
    )


def _told(name: str, symbol: str | None, left: Left, waited_s: float) -> Flattening:
    return Flattening(
        accepted=True,
        correlation_id=name,
        message=f"closing {symbol or 'everything'}",
        symbol=symbol,
        verified=left.is_nothing,
        open_orders=left.open_orders,
        held={symbol: str(quantity) for symbol, quantity in left.held.items()},
        opened_since={symbol: str(quantity) for symbol, quantity in left.opened_since.items()},
        under_way=not left.is_done,
        given_up=left.given_up,
        recording_over=left.recording_over,
        waited_s=round(waited_s, 3),
    )
