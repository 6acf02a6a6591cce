"""One strategy and its parameters: what may be chosen, and choosing it, as one more change of the key `strategies`.

There is no second way into force: the config actor judges the whole list, keeps it as a version with who and why, and
the signal actor takes it up between two candles, as it does with every other change of the list.
"""

from typing import Final

import attrs
import msgspec
import trio

from genesis.domain.config_keys import STRATEGIES, nearest
from genesis.domain.parameter_changes import ParameterField, differences, fields_of, list_with, with_parameters
from genesis.domain.settings_build import Fault
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategies.ensemble import kind_for, kinds_of
from genesis.domain.warm_up import SNAPSHOT_CANDLES, needs_of
from protocols.config import ConfigView, SetSettings, SettingFault
from protocols.settings import StrategySettings
from protocols.units import Symbol
from web.api import Api, Call, Route
from web.config_commands import answer_of, expected_version, new_id, tell_config, view_of
from web.errors import ApiError, Detail
from web.faults import own_fault
from web.strategy_models import FieldView, HeldLot, NumberChange, OneStrategy, ParametersAnswer, ParametersBody
from web.tokens import Scope

PATH: Final = "/api/v2/strategies/{name}"


async def one_strategy(api: Api, call: Call) -> OneStrategy:
    view = view_of(api)
    strategy, _, layer = configured(view, call.path["name"])
    kinds = [kind for kind in kinds_of(strategy, STRATEGY_KINDS) if kind is not None]
    return OneStrategy(
        version=view.version,
        strategy=strategy.name,
        kind=strategy.kind,
        text=kinds[0].text if kinds else "",
        symbol=Symbol(strategy.symbol),
        timeframe=strategy.timeframe,
        enabled=strategy.enabled,
        layer=layer,
        blocked=_blocked(view),
        faults=tuple(dict.fromkeys(f"{kind.name}: {kind.fault}" for kind in kinds if kind.fault)),
        fields=tuple(map(_field, fields_of(strategy, STRATEGY_KINDS))),
        holds=_held(api, strategy.name),
    )


async def set_parameters(api: Api, call: Call) -> ParametersAnswer:
    """The list is written whole, so it is always bound to the version that it was read from: nothing is overwritten."""
    body: ParametersBody = call.body
    view = view_of(api)
    strategy, strategies, _ = configured(view, call.path["name"])
    if not body.parameters and body.enabled is None:
        raise own_fault("parameters must be given, unless enabled is, was absent")
    made = with_parameters(strategy, body.parameters, STRATEGY_KINDS)
    if not isinstance(made, StrategySettings):
        if not body.preview:
            raise refused(made)
        return parameters_answer(api, view.version, strategy, faults=tuple(map(setting_fault, made)))
    if body.enabled is not None:
        made = msgspec.structs.replace(made, enabled=body.enabled)
    changes = tuple(NumberChange(**attrs.asdict(each)) for each in differences(strategy, made, STRATEGY_KINDS))
    begins = made.enabled and (bool(changes) or not strategy.enabled)
    needs = await candles_needed(made) if begins else 0
    if body.preview:
        return parameters_answer(api, view.version, made, changes=changes, needs=needs)
    expected = expected_version(call, body.expected_version)
    if made == strategy and expected in (None, view.version):
        return parameters_answer(api, view.version, strategy, message=f"{strategy.name} is so already", done=True)
    command = SetSettings(
        changes={STRATEGIES: list_with(strategies, made)},
        cleared=(),
        actor=call.subject,
        reason=body.reason,
        expected_version=view.version if expected is None else expected,
        correlation_id=new_id(api),
    )
    reply = await tell_config(api, command)
    parts = [f"{each.path} {each.old:g} -> {each.new:g}" for each in changes]
    if made.enabled != strategy.enabled:
        parts.append("enabled" if made.enabled else "not enabled any more")
    done = answer_of(reply, command.correlation_id, f"{strategy.name}: {', '.join(parts) or 'no number'}")
    answer = parameters_answer(api, reply.version, made, changes=changes, needs=needs, message=done.message, done=True)
    return msgspec.structs.replace(answer, correlation_id=command.correlation_id, hidden=done.hidden)


def strategies_of(view: ConfigView) -> tuple[tuple[StrategySettings, ...], str]:
    """The whole list and its layer, as one version has them."""
    told = next(each for each in view.effective if each.key == STRATEGIES)
    return msgspec.convert(told.value, tuple[StrategySettings, ...]), told.layer


def configured(view: ConfigView, name: str) -> tuple[StrategySettings, tuple[StrategySettings, ...], str]:
    """The strategy of that name, the whole list and its layer, as one version has them. Raises ApiError (404)."""
    strategies, layer = strategies_of(view)
    for each in strategies:
        if each.name == name:
            return each, strategies, layer
    near = nearest(name, [each.name for each in strategies])
    hint = f"; did you mean {near}?" if near else ""
    raise ApiError(404, f"no strategy in the settings is called {name[:80]}{hint}", code="unknown_strategy")


def _blocked(view: ConfigView) -> str:
    if view.rollout is None or STRATEGIES not in view.rollout.plan.changes:
        return ""
    return f"strategies must be left alone while rollout {view.rollout.plan.name} tries them"


def _field(field: ParameterField) -> FieldView:
    return FieldView(
        path=field.path,
        of=field.of,
        member=field.member,
        value=field.value,
        given=field.given,
        above=field.above,
        **attrs.asdict(field.declared),
    )


def _held(api: Api, name: str) -> tuple[HeldLot, ...]:
    lots = {(protection.symbol, lot.strategy): lot for protection in api.readers.brackets() for lot in protection.lots}
    found = []
    for book in api.readers.books():
        if book.strategy == name and book.quantity:
            lot = lots.get((book.symbol, name))
            found.append(
                HeldLot(
                    symbol=book.symbol,
                    quantity=book.quantity,
                    stop_price=None if lot is None else lot.stop_price,
                    target_price=None if lot is None else lot.target_price,
                )
            )
    return tuple(found)


async def candles_needed(made: StrategySettings) -> int:
    """Candles before it speaks; 0 where its author's process would have to be asked, or a file is broken."""
    kind = kind_for(made, STRATEGY_KINDS)
    if kind.foreign or kind.fault:
        return 0
    return await trio.to_thread.run_sync(needs_of, kind, kind.resolve(made.parameters), made.symbol, made.timeframe)


def parameters_answer(
    api: Api,
    version: int,
    strategy: StrategySettings,
    *,
    changes: tuple[NumberChange, ...] = (),
    faults: tuple[SettingFault, ...] = (),
    needs: int = 0,
    message: str = "nothing is changed yet",
    done: bool = False,
) -> ParametersAnswer:
    return ParametersAnswer(
        version=version,
        accepted=done,
        strategy=strategy.name,
        enabled=strategy.enabled,
        correlation_id="",
        message=message,
        changes=changes,
        faults=faults,
        needs=needs,
        own_history=needs > SNAPSHOT_CANDLES,
        holds=_held(api, strategy.name),
    )


def setting_fault(fault: Fault) -> SettingFault:
    return SettingFault(path=fault.path, must_be=fault.must_be, was=fault.was, layer=fault.layer, hint=fault.hint)


def refused(faults: tuple[Fault, ...]) -> ApiError:
    detail: Detail = {each.path: {"must_be": each.must_be, "was": each.was, "hint": each.hint} for each in faults}
    texts = "; ".join(
        f"{each.path or 'parameters'} must be {each.must_be}, was {each.was}"
        + (f" ({each.hint})" if each.was == "unknown" else "")
        for each in faults
    )
    return ApiError(422, texts, code="invalid", detail=detail)


STRATEGY_READING: Final = (
    Route(
        method="GET",
        path=PATH,
        scope=Scope.READ,
        handler=one_strategy,
        answer=OneStrategy,
        tag="configuration",
        summary="One configured strategy: each parameter with its range, default and meaning, and what it holds.",
        statuses=(404, 503),
    ),
)

STRATEGY_CHANGING: Final = (
    Route(
        method="PATCH",
        path=PATH,
        scope=Scope.ADMIN,
        handler=set_parameters,
        answer=ParametersAnswer,
        body=ParametersBody,
        needs="settings",
        tag="configuration",
        summary="Choose other parameters for a strategy, enable or end it: a version of the settings, applied live.",
        statuses=(404, 412, 503, 507),
    ),
)
