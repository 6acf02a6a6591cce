"""The controlling routes: each makes one message, hands it to one control, and answers with its correlation id."""

from decimal import Decimal
from typing import Final

from genesis.domain.risk_codes import PASSING, sentence
from genesis.domain.risk_outputs import Switch
from protocols.orders import (
    MANUAL,
    PROTECTIVE_PURPOSES,
    TERMINAL_STATES,
    Adopt,
    CancelIntent,
    Flatten,
    OrderIntent,
    OrderState,
    OrderType,
    OrderView,
    Purpose,
    UpdateIntent,
)
from protocols.risk import CHANGE, ChangeOrder, SetPaused, SetTradingState, TradingState, Verdict
from protocols.units import Side, Symbol, plain
from web.api import Api, Call
from web.bodies import AdoptBody, ChaosBody, FlattenBody, HaltBody, ReasonBody, UpdateBody, symbol_of
from web.chaos_port import FaultWish
from web.errors import ApiError, Detail
from web.faults import own_fault
from web.intents import check_change, invalid, quantity_left
from web.intents import intent_of as intent_of
from web.models import Accepted

AGAIN_AFTER_S: Final = 1
STATUS: Final = "/api/v2/risk/unified/status"


def _accepted(correlation_id: str, message: str) -> Accepted:
    return Accepted(accepted=True, correlation_id=correlation_id, message=message)


def is_for_now(verdict: Verdict) -> bool:
    """Whether risk said no for nothing but what passes by itself."""
    return not verdict.approved and all(result.code in PASSING for result in verdict.denials)


def denied(verdict: Verdict) -> ApiError:
    """Risk said no: the codes and the numbers, so that nobody has to guess why. 503 when it may say yes in a moment."""
    detail: Detail = {"verdict_id": verdict.verdict_id, "rules": [result.rule for result in verdict.denials]}
    sentences = []
    for result in verdict.denials:
        detail[result.rule] = dict(result.numbers)
        sentences.append(f"{result.code.value if result.code else result.rule}: {sentence(result)}")
    if is_for_now(verdict):
        wait = {"Retry-After": str(AGAIN_AFTER_S)}
        return ApiError(503, "not now: " + "; ".join(sentences), code="not_now", detail=detail, headers=wait)
    return ApiError(409, "risk refused the order: " + "; ".join(sentences), code="denied", detail=detail)


def _absent() -> ApiError:
    return ApiError(404, "this engine does not have that control", code="no_such_control")


def _find(api: Api, order_id: str) -> OrderView:
    """One of our open orders, by intent id, client id or venue id."""
    found = [
        view
        for view in api.readers.orders()
        if order_id in (view.intent_id, str(view.cid), str(view.venue_id)) and order_id
    ]
    if not found:
        raise ApiError(404, f"no order is known by {order_id[:80]}", code="unknown_order")
    view = found[-1]
    if view.foreign:
        raise ApiError(409, "this order was not placed by the engine; it is shown and left alone", code="foreign_order")
    if view.state in TERMINAL_STATES:
        raise ApiError(409, f"the order must be open, was {view.state.value}", code="order_closed")
    return view


async def cancel_order(api: Api, call: Call) -> Accepted:
    view = _find(api, call.path["order_id"])
    if view.purpose in PROTECTIVE_PURPOSES:
        raise ApiError(
            409,
            f"this order protects the position in {view.symbol} and would come back: "
            "move it (PATCH), or close the position",
            code="protects_position",
        )
    await _cancel(api, view.intent_id, f"cancelled by {call.subject}", view.correlation_id)
    return _accepted(view.correlation_id, f"cancel of {view.intent_id} is on its way")


async def cancel_all(api: Api, call: Call) -> Accepted:
    correlation_id = f"api:{api.new_id()}"
    await _cancel(api, None, f"all cancelled by {call.subject}", correlation_id)
    return _accepted(correlation_id, "cancel of every open order is on its way")


async def _cancel(api: Api, intent_id: str | None, reason: str, correlation_id: str) -> None:
    cancel = api.controls.cancel
    if cancel is None:
        raise _absent()
    await cancel(CancelIntent(intent_id=intent_id, reason=reason, correlation_id=correlation_id))


async def update_order(api: Api, call: Call) -> Accepted:
    body: UpdateBody = call.body
    if body.price is None and body.quantity is None and body.amount is None and body.stop_price is None:
        raise ApiError(422, "price, quantity or stop_price must be given, were all absent")
    view = _find(api, call.path["order_id"])
    if view.state is OrderState.PENDING_CANCEL:
        raise ApiError(409, "the order must not be on its way out, its cancel is under way", code="order_leaving")
    risk = api.readers.risk()
    if risk is not None and risk.state is TradingState.HALTED and view.purpose not in PROTECTIVE_PURPOSES:
        text = "trading must not be halted: until it is resumed only stops of positions are moved, and orders cancelled"
        raise ApiError(409, text, code="halted")
    try:
        intent = UpdateIntent(
            intent_id=view.intent_id,
            price=body.price,
            quantity=quantity_left(body, view.side),
            reason=f"changed by {call.subject}",
            correlation_id=view.correlation_id,
            stop_price=body.stop_price,
        )
    except ValueError as error:
        raise own_fault(str(error)) from None
    _check_levels(view, body)
    check_change(intent, api.desk.pairs().get(view.symbol))
    if view.purpose in PROTECTIVE_PURPOSES or view.price is None:
        update = api.controls.update
        if update is None:
            raise _absent()
        await update(intent)
    else:
        await _change(api, call, view, intent, view.price)
    return _accepted(view.correlation_id, f"change of {view.intent_id} is on its way")


async def _change(api: Api, call: Call, view: OrderView, update: UpdateIntent, was: Decimal) -> None:
    """Risk judges a change that makes an order worth more as the order that it becomes, and sets aside what it may
    become before it leaves. Raises ApiError: 409 when risk refuses it, 503 when it may be asked again."""
    change, leaves = api.controls.change, view.leaves_quantity
    if change is None:
        raise _absent()
    quantity = leaves if update.quantity is None else update.quantity
    ended = ApiError(409, "the order must be open, it has ended", code="order_closed")
    if quantity <= 0:
        raise ended
    intent = OrderIntent(
        intent_id=f"{CHANGE}{api.new_id()}",
        strategy=view.strategy,
        symbol=view.symbol,
        side=view.side,
        quantity=quantity,
        order_type=OrderType.LIMIT,
        purpose=Purpose.MANUAL,
        decided_ms=api.readers.status().venue_ms or api.clock.wall_ms(),
        correlation_id=view.correlation_id,
        price=was if update.price is None else update.price,
        margin=view.margin,
    )
    answer = await change(ChangeOrder(intent=intent, update=update, rests=leaves * was, actor=call.subject))
    if answer is None:
        raise ApiError(503, "risk has not answered yet", headers={"Retry-After": str(AGAIN_AFTER_S)})
    if not answer.known:
        raise ended
    if answer.verdict is not None and not answer.verdict.approved:
        raise denied(answer.verdict)


def _check_levels(view: OrderView, body: UpdateBody) -> None:
    """Raises ApiError: 409 when the order has no stop that can be moved, 422 when stop and target would cross."""
    if body.stop_price is not None and (view.purpose not in PROTECTIVE_PURPOSES or view.stop_price is None):
        raise ApiError(
            409,
            "stop_price must be absent for an order that is not the stop of a position: change its price, or cancel it"
            " and place another",
            code="stop_not_movable",
        )
    if view.stop_price is None or view.price is None or view.stop_price == view.price:
        return
    stop = view.stop_price if body.stop_price is None else body.stop_price
    target = view.price if body.price is None else body.price
    if (stop - target) * view.side.sign <= 0:
        where = "above" if view.side is Side.BUY else "below"
        raise invalid("stop_price", f"{where} the target {plain(target)}", plain(stop))


async def close_position(api: Api, call: Call) -> Accepted:
    body: ReasonBody = call.body
    symbol = call.path["symbol"]
    account = api.readers.account()
    held = {} if account is None else {view.symbol: view.quantity for view in account.positions}
    if held.get(symbol_of(symbol), Decimal(0)) == 0:
        raise ApiError(404, f"no position in {symbol[:30]} is held", code="no_position")
    return await close_everything(api, symbol, f"{body.reason} ({call.subject})")


async def adopt(api: Api, call: Call) -> Accepted:
    """Raises ApiError: 404 when the owner holds nothing there, 409 when the heir holds something there already, 422 for
    an heir who could not sell it."""
    body: AdoptBody = call.body
    control = api.controls.adopt
    if control is None:
        raise _absent()
    running = sorted({view.strategy for view in api.readers.strategies()})
    if body.heir == body.owner or body.heir not in (*running, MANUAL):
        raise invalid("heir", f"{MANUAL} or one of {', '.join(running)}, and not the owner", body.heir[:60])
    symbol = None if body.symbol is None else symbol_of(body.symbol)
    lots = [
        (position.symbol, position.margin, lot)
        for position in api.readers.brackets()
        for lot in position.lots
        if symbol in (None, position.symbol) and lot.lot
    ]
    books = {(name, margin) for name, margin, lot in lots if lot.strategy == body.owner}
    account = api.readers.account()
    # Coins without levels are in no lot, and go over in any case.
    plain_coins = {
        holding.symbol
        for holding in (() if account is None else account.owners)
        if holding.strategy == body.owner and symbol in (None, holding.symbol)
    }
    if not books and not plain_coins:
        raise ApiError(404, f"{body.owner} holds nothing{f' of {symbol}' if symbol else ''}", code="no_position")
    taken = sorted(name for name, margin, lot in lots if lot.strategy == body.heir and (name, margin) in books)
    if taken and body.heir != MANUAL:
        text = f"{body.heir} holds {', '.join(taken)} already: which levels hold for both would be a guess"
        raise ApiError(409, f"{text}. Close one of them first", code="heir_holds")
    given = {name for name, _ in books} | plain_coins
    trades = {view.symbol for view in api.readers.strategies() if view.strategy == body.heir}
    if body.heir != MANUAL and not given <= trades:
        strange = ", ".join(sorted(given - trades))
        must_be = f"{MANUAL} or a strategy that trades {strange}: another one would never sell that"
        raise invalid("heir", must_be, f"{body.heir}, which trades {', '.join(sorted(trades))}")
    correlation_id = f"api:{api.new_id()}"
    await control(
        Adopt(
            symbol=symbol,
            owner=body.owner,
            heir=body.heir,
            reason=f"{body.reason} ({call.subject})",
            correlation_id=correlation_id,
        )
    )
    symbols = ", ".join(sorted(given))
    return _accepted(
        correlation_id,
        f"{symbols} went from {body.owner} to {body.heir}{', with the stops around it' if books else ''}",
    )


async def flatten(api: Api, call: Call) -> Accepted:
    body: FlattenBody = call.body
    if body.confirm != "flatten":
        must_be = "the word flatten (this cancels every order and sells what is held)"
        raise invalid("confirm", must_be, body.confirm[:60])
    if body.symbol is not None:
        _must_mean_something(api, symbol_of(body.symbol))
    return await close_everything(api, body.symbol, f"{body.reason} ({call.subject})")


def _must_mean_something(api: Api, symbol: Symbol) -> None:
    """Somebody in a hurry wrote another symbol than the one that they hold: they must hear that nothing was closed.

    Raises ApiError. What is watched is taken in any case: an order that nobody has heard of yet may be on its way.
    """
    account = api.readers.account()
    if account is None or symbol in api.readers.settings().market.symbols:
        return
    held = {view.symbol for view in account.positions if view.quantity}
    ours = {view.symbol for view in api.readers.orders() if not view.foreign and view.state not in TERMINAL_STATES}
    if symbol not in held | ours:
        there = ", ".join(sorted(held | ours)) or "nothing"
        raise ApiError(404, f"nothing of {symbol} is held or ordered; there is: {there}", code="no_position")


async def close_everything(api: Api, symbol: str | None, reason: str) -> Accepted:
    control = api.controls.flatten
    if control is None:
        raise _absent()
    correlation_id = f"api:{api.new_id()}"
    await control(
        Flatten(symbol=None if symbol is None else symbol_of(symbol), reason=reason, correlation_id=correlation_id)
    )
    return _accepted(correlation_id, f"closing {symbol or 'everything'}")


async def tell_risk(api: Api, command: Switch, done: str) -> Accepted:
    """Turn a switch of risk; the answer says `done`, or that it is under way."""
    control = api.controls.risk
    if control is None:
        raise _absent()
    if not await control(command):
        done = f"under way: risk has it and has not answered yet, GET {STATUS} will show it. Wanted: {done}"
    return _accepted(command.correlation_id, done)


async def _pause(api: Api, call: Call, *, paused: bool) -> Accepted:
    body: ReasonBody = call.body
    correlation_id = f"api:{api.new_id()}"
    command = SetPaused(paused=paused, reason=body.reason, actor=call.subject, correlation_id=correlation_id)
    return await tell_risk(api, command, "entries are paused" if paused else "entries are allowed again")


async def pause(api: Api, call: Call) -> Accepted:
    return await _pause(api, call, paused=True)


async def resume(api: Api, call: Call) -> Accepted:
    return await _pause(api, call, paused=False)


async def _set_state(api: Api, call: Call, state: TradingState, reason: str, message: str) -> Accepted:
    correlation_id = f"api:{api.new_id()}"
    command = SetTradingState(state=state, reason=reason, actor=call.subject, correlation_id=correlation_id)
    return await tell_risk(api, command, message)


async def halt(api: Api, call: Call) -> Accepted:
    body: HaltBody = call.body
    state = TradingState.REDUCING if body.reducing else TradingState.HALTED
    return await _set_state(api, call, state, body.reason, f"trading state set to {state.value}")


async def resume_trading(api: Api, call: Call) -> Accepted:
    body: ReasonBody = call.body
    # Whoever resumes lives with the drawdown so far, and shall know it.
    message = "trading state set to ACTIVE; drawdown is measured from here on"
    risk = api.readers.risk()
    if risk is not None and risk.state is TradingState.ACTIVE:
        message = "trading was ACTIVE already; nothing is changed"
    return await _set_state(api, call, TradingState.ACTIVE, body.reason, message)


async def chaos(api: Api, call: Call) -> Accepted:
    body: ChaosBody = call.body
    if api.readers.status().mode != "sim":
        raise ApiError(409, "trouble can be made in sim mode only", code="not_in_sim")
    if (body.kill is None) == (body.fault is None):
        raise ApiError(422, "one of kill and fault must be given")
    if body.fault is not None:
        port = api.controls.chaos
        if port is None:
            raise _absent()
        wish = FaultWish(
            fault=body.fault, actor=body.actor, sockets=body.sockets, seconds=body.seconds, times=body.times
        )
        return _accepted(f"api:{api.new_id()}", await port.inject(wish))
    kill = api.controls.kill_actor
    if kill is None:
        raise _absent()
    assert body.kill is not None
    if not await kill(body.kill):
        raise ApiError(404, f"no actor is called {body.kill}", code="unknown_actor")
    return _accepted(f"api:{api.new_id()}", f"{body.kill} was killed; its supervisor takes it from here")
