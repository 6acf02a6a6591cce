"""A strategy on paper beside the live ones: the list of strategies as it would be, as a rollout that is a shadow.

There is no second way: the config actor judges the whole list, keeps the rollout as a version with who and why, and its
end is a version too. This is the short way to say it of one strategy.
"""

import re
from typing import Any, Final

import attrs
import msgspec

from genesis.domain.config_keys import STRATEGIES
from genesis.domain.parameter_changes import differences, list_with, with_parameters
from genesis.domain.strategies import STRATEGY_KINDS
from protocols.config import PaperTerms, RolloutPlan, StartRollout
from protocols.settings import StrategySettings
from web.api import Api, Call, Route
from web.config_commands import answer_of, expected_version, new_id, tell_config, view_of
from web.faults import own_fault
from web.strategy_commands import (
    PATH,
    candles_needed,
    configured,
    parameters_answer,
    refused,
    setting_fault,
    strategies_of,
)
from web.strategy_models import NumberChange, ParametersAnswer, ShadowBody
from web.tokens import Scope

SHADOW_PATH: Final = f"{PATH}/shadow"
_NO_NAME: Final = re.compile(r"[^a-z0-9._-]+")


async def start_shadow(api: Api, call: Call) -> ParametersAnswer:
    body: ShadowBody = call.body
    view = view_of(api)
    strategies, _ = strategies_of(view)
    name = call.path["name"]
    live = next((each for each in strategies if each.name == name), None)
    wanted = _wanted(live, name, body)
    if wanted is None:
        # Nothing says what it would be: the same answer as to a name that is misspelled.
        configured(view, name)
        raise AssertionError("a strategy that is configured has all that it needs")
    made = with_parameters(wanted, body.parameters, STRATEGY_KINDS)
    if not isinstance(made, StrategySettings):
        if not body.preview:
            raise refused(made)
        return parameters_answer(api, view.version, wanted, faults=tuple(map(setting_fault, made)))
    if live is not None and made == live:
        raise own_fault("parameters must differ from the live ones, or kind be given, did not")
    same = live is not None and live.kind == made.kind
    old = live if live is not None and same else made
    changes = tuple(NumberChange(**attrs.asdict(each)) for each in differences(old, made, STRATEGY_KINDS))
    first = await candles_needed(made) if made.kind in STRATEGY_KINDS else 0
    if body.preview:
        return parameters_answer(api, view.version, made, changes=changes, needs=first)
    plan = RolloutPlan(
        name=body.name or _name_of(name),
        changes={STRATEGIES: _list_of(strategies, made)},
        strategies=(made.name,),
        shadow=True,
        metric=body.metric,
        threshold=body.threshold,
        against_control=body.against_live,
        duration_s=body.duration_s,
        min_samples=body.min_trades,
        paper=PaperTerms(trades=body.trades, automatic=body.automatic, cash=body.cash),
    )
    expected = expected_version(call, body.expected_version)
    command = StartRollout(
        plan=plan,
        actor=call.subject,
        reason=body.reason,
        expected_version=view.version if expected is None else expected,
        correlation_id=new_id(api),
    )
    reply = await tell_config(api, command)
    done = answer_of(reply, command.correlation_id, f"rollout {plan.name} has begun: {made.name} runs on paper")
    begun = parameters_answer(api, reply.version, made, changes=changes, needs=first, message=done.message, done=True)
    return msgspec.structs.replace(begun, correlation_id=command.correlation_id)


def _wanted(live: StrategySettings | None, name: str, body: ShadowBody) -> StrategySettings | None:
    """What shall run, before its parameters are chosen; None where too little is said of a new one."""
    if live is None:
        if body.kind is None or body.symbol is None or body.timeframe is None:
            return None
        return StrategySettings(name=name, kind=body.kind, symbol=body.symbol, timeframe=body.timeframe)
    given: dict[str, Any] = {"enabled": True}
    if body.kind is not None and body.kind != live.kind:
        given |= {"kind": body.kind, "parameters": {}, "members": ()}
    if body.symbol is not None:
        given["symbol"] = body.symbol
    if body.timeframe is not None:
        given["timeframe"] = body.timeframe
    return msgspec.structs.replace(live, **given)


def _list_of(strategies: tuple[StrategySettings, ...], made: StrategySettings) -> list[Any]:
    if any(each.name == made.name for each in strategies):
        return list_with(strategies, made)
    return list_with((*strategies, made), made)


def _name_of(strategy: str) -> str:
    return f"shadow-{_NO_NAME.sub('-', strategy.lower())}"[:40]


SHADOW_CHANGING: Final = (
    Route(
        method="POST",
        path=SHADOW_PATH,
        scope=Scope.ADMIN,
        handler=start_shadow,
        answer=ParametersAnswer,
        body=ShadowBody,
        needs="settings",
        tag="configuration",
        summary="Run a strategy on paper beside the live ones, as a rollout that is promoted or taken back.",
        statuses=(404, 412, 503, 507),
    ),
)
