"""Layers of settings become one value, or the list of everything that is wrong with them.

A later layer hides an earlier one. Nothing is half applied: one fault anywhere, and there is no value. Faults tell the
path, what must be, what was, where it stood, and for an unknown name the nearest known one.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

import attrs
import msgspec

from genesis.domain.config_keys import (
    ALIASES,
    KEYS,
    NOT_SET_BY_HAND,
    SECRETS,
    SECTIONS,
    STRATEGIES,
    STRATEGY_KEYS,
    Key,
    Kind,
    nearest,
)
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategies.ensemble import check_members
from genesis.domain.strategy import StrategyKind
from protocols.settings import MemberSettings, Settings, StrategySettings

DEFAULTS: Final = "defaults"
PREFIX: Final = "GENESIS_"
PRIORITY_VARIABLE: Final = "GENESIS_PRIORITY"
_OURS: Final = frozenset(
    f"{each.name}{suffix}" for each in SECRETS if each.name.startswith(PREFIX) for suffix in ("", "_FILE", "_CMD")
)
NOT_SETTINGS: Final = frozenset({"GENESIS_HOME", "GENESIS_LIVE_CONFIRM", PRIORITY_VARIABLE}) | _OURS
"""Names with our prefix that are read elsewhere; so are those that begin with GENESIS_TEST_."""

MAX_STRATEGIES: Final = 1000
LARGEST_EXPONENT: Final = 20
LARGEST_WHOLE: Final = 2**63 - 1
SHOWN_CHARACTERS: Final = 80


class Source(StrEnum):
    """Where a layer comes from. BASE is what a chosen recording brings along."""

    DEFAULTS = "defaults"
    BASE = "base"
    FILES = "files"
    ENVIRONMENT = "environment"
    COMMAND = "command line"
    FLAGS = "feature flags"
    RUNTIME = "runtime"


class Priority(StrEnum):
    """Which source wins. RUNTIME is for trading; FILES is for CI and for engines that are set up by files alone."""

    RUNTIME = "runtime"
    ENVIRONMENT = "environment"
    FILES = "files"


_S = Source
ORDER: Final[Mapping[Priority, tuple[Source, ...]]] = {
    Priority.RUNTIME: (_S.DEFAULTS, _S.BASE, _S.FILES, _S.ENVIRONMENT, _S.COMMAND, _S.FLAGS, _S.RUNTIME),
    Priority.ENVIRONMENT: (_S.DEFAULTS, _S.BASE, _S.FILES, _S.FLAGS, _S.RUNTIME, _S.ENVIRONMENT, _S.COMMAND),
    Priority.FILES: (_S.DEFAULTS, _S.BASE, _S.ENVIRONMENT, _S.FLAGS, _S.RUNTIME, _S.FILES, _S.COMMAND),
}
"""The sources of each profile, the weakest first."""


@attrs.frozen(kw_only=True)
class Fault:
    """One thing that is wrong. `layer` says where: a file, the environment, a command."""

    path: str
    must_be: str
    was: str
    layer: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.path}: must be {self.must_be}, was {self.was}{hint} [{self.layer}]"


@attrs.frozen(kw_only=True)
class Layer:
    """Raw values by path. `textual` layers hold text to be parsed, as environments do."""

    name: str
    values: Mapping[str, object]
    textual: bool = False
    faults: tuple[Fault, ...] = ()
    source: Source = Source.FILES


@attrs.frozen(kw_only=True)
class Effective:
    """A value in force: its layer, and what that hid (nearest first)."""

    path: str
    value: Any
    layer: str
    hidden: tuple[tuple[str, Any], ...] = ()
    source: Source = Source.DEFAULTS


@attrs.frozen(kw_only=True)
class Built:
    settings: Settings
    effective: Mapping[str, Effective]


def priority_of(environment: Mapping[str, str]) -> Priority:
    """The profile that GENESIS_PRIORITY names. Raises ValueError for a name that is none."""
    text = environment.get(PRIORITY_VARIABLE, "").strip() or Priority.RUNTIME.value
    try:
        return Priority(text)
    except ValueError:
        known = ", ".join(each.value for each in Priority)
        raise ValueError(f"{PRIORITY_VARIABLE} must be one of {known}, was {_show(text)}") from None


def in_order(layers: Iterable[Layer], priority: Priority = Priority.RUNTIME) -> tuple[Layer, ...]:
    """The layers, the weakest first; those of one source stay in the order in which they came."""
    rank = ORDER[priority].index
    return tuple(sorted(layers, key=lambda layer: rank(layer.source)))


def layer_of_tree(name: str, tree: object, *, section: str | None = None) -> Layer:
    """A layer from a decoded document: the whole tree, or one section's object (`strategies` is a list)."""
    if section is not None:
        tree = {section: tree}
    if not isinstance(tree, Mapping):
        return Layer(name=name, values={}, faults=(_fault("(document)", "an object", tree, name),))
    values: dict[str, object] = {}
    faults: list[Fault] = []
    for key, value in tree.items():
        if key not in SECTIONS:
            values[str(key)] = value
        elif isinstance(value, Mapping):
            values |= {f"{key}.{inner}": each for inner, each in value.items()}
        else:
            faults.append(_fault(key, "an object", value, name))
    return Layer(name=name, values=values, faults=tuple(faults))


def layer_of_environment(environment: Mapping[str, str], *, name: str = "environment") -> Layer:
    """A layer from GENESIS_<SECTION>__<KEY> and the older names that `ALIASES` lists. Other variables are not ours."""
    values: dict[str, object] = {}
    faults: list[Fault] = []
    known = {key.environment: path for path, key in KEYS.items()} | {PREFIX + STRATEGIES.upper(): STRATEGIES}
    # The full name is the more exact word, so it is laid over the older one.
    for variable, path in sorted(ALIASES.items()):
        if variable in environment:
            values[path] = environment[variable]
    for variable in sorted(environment):
        if variable in known:
            values[known[variable]] = environment[variable]
        elif variable.startswith(PREFIX) and variable not in NOT_SETTINGS and not variable.startswith(PREFIX + "TEST_"):
            # An unknown name may hold a secret that was meant for another: its value is not repeated.
            faults.append(
                Fault(
                    path=variable,
                    must_be="a known name",
                    was="unknown",
                    layer=name,
                    hint=_did_you_mean(variable, known),
                )
            )
    return Layer(name=name, values=values, textual=True, faults=tuple(faults), source=Source.ENVIRONMENT)


def build(
    layers: Sequence[Layer], *, kinds: Mapping[str, StrategyKind] = STRATEGY_KINDS, version: int = 1
) -> Built | tuple[Fault, ...]:
    """Lay the layers over the defaults. `kinds` are the strategies that settings may name."""
    faults: list[Fault] = []
    effective = {path: Effective(path=path, value=key.default, layer=DEFAULTS) for path, key in KEYS.items()}
    effective[STRATEGIES] = Effective(path=STRATEGIES, value=Settings().strategies, layer=DEFAULTS)
    for layer in layers:
        faults.extend(layer.faults)
        for path, raw in layer.values.items():
            value = _read(path, raw, layer, faults)
            if value is not _WRONG:
                below = effective[path]
                hidden = ((below.layer, below.value), *below.hidden)
                effective[path] = Effective(
                    path=path, value=value, layer=layer.name, hidden=hidden, source=layer.source
                )
    if effective[STRATEGIES].layer == DEFAULTS:
        effective[STRATEGIES] = _default_strategies(effective)
    settings = _assemble(effective, version)
    if not faults:
        faults.extend(_contradictions(settings, effective, kinds))
    return tuple(faults) if faults else Built(settings=settings, effective=effective)


def read_text(path: str, text: str, *, layer: str = "command line") -> tuple[Any, tuple[Fault, ...]]:
    """The JSON value that a typed word means for this path, or what is wrong with it; its neighbours are not judged."""
    faults: list[Fault] = []
    value = _read(path, text, Layer(name=layer, values={}, textual=True), faults)
    return (None, tuple(faults)) if faults else (plain(value), ())


def unknown_path(path: str, *, layer: str = "runtime") -> Fault:
    """The fault of a name that nothing has. Its value is not repeated, it may be a secret in the wrong place."""
    hint = _did_you_mean(path, [*KEYS, STRATEGIES])
    return Fault(path=_show_name(path), must_be="a known name", was="unknown", layer=layer, hint=hint)


def plain(value: Any) -> Any:
    """A value as JSON has it: lists for tuples, text for exact numbers."""
    return msgspec.json.decode(msgspec.json.encode(value))


def read_value(path: str, value: object, *, layer: str) -> tuple[Any, tuple[Fault, ...]]:
    """The plain form of a JSON value for this path, or what is wrong with it; its neighbours are not judged."""
    faults: list[Fault] = []
    read = _read(path, value, Layer(name=layer, values={}), faults)
    return (None, tuple(faults)) if faults else (plain(read), ())


def as_tree(settings: Settings) -> dict[str, Any]:
    """The settings as plain JSON values, exact numbers as text and no version: building from it gives them again."""
    # Through JSON text, not to_builtins: lists must be lists here as they are when they are read back.
    tree: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(settings))
    return {key: value for key, value in tree.items() if key not in NOT_SET_BY_HAND}


# ------------------------------------------------------------------------------------------------- reading one value
_WRONG: Final = object()


def _show(value: object) -> str:
    if isinstance(value, Decimal):
        text = str(value)
    else:
        try:
            text = json.dumps(value, default=str, ensure_ascii=False)
        except (ValueError, RecursionError):
            text = f"a {type(value).__name__}"
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def _show_name(name: str) -> str:
    plain = name if name.isprintable() and name else json.dumps(name)
    return plain if len(plain) <= SHOWN_CHARACTERS else plain[: SHOWN_CHARACTERS - 1] + "…"


def _fault(path: str, must_be: str, was: object, layer: str, hint: str = "") -> Fault:
    return Fault(path=path, must_be=must_be, was=_show(was), layer=layer, hint=hint)


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = nearest(name, known)
    return f"did you mean {near}?" if near else ""


def _read(path: str, raw: object, layer: Layer, faults: list[Fault]) -> Any:
    if path == STRATEGIES:
        return _read_strategies(raw, layer, faults)
    key = KEYS.get(path)
    if key is None:
        if path in NOT_SET_BY_HAND:
            faults.append(Fault(path=path, must_be="absent", was="set", layer=layer.name, hint="the engine counts it"))
        elif any(path.split(".")[-1].upper() == secret.name for secret in SECRETS):
            hint = "secrets come from the environment or a file"
            faults.append(Fault(path=path, must_be="absent", was="set", layer=layer.name, hint=hint))
        else:
            faults.append(unknown_path(path, layer=layer.name))
        return _WRONG
    return _checked(key, path, raw, layer, faults)


def _checked(key: Key, path: str, raw: object, layer: Layer, faults: list[Fault]) -> Any:
    value = _READERS[key.kind](raw, layer.textual)
    if value is _WRONG:
        faults.append(_fault(path, key.kind, raw, layer.name, key.range_text))
        return _WRONG
    outside = next((n for n in _numbers_in(value) if not _inside(key, n)), None)
    if outside is not None:
        faults.append(_fault(path, key.range_text, raw, layer.name, key.unit))
        return _WRONG
    if key.choices and value not in key.choices:
        hint = _did_you_mean(str(value), key.choices)
        faults.append(_fault(path, f"one of {', '.join(key.choices)}", raw, layer.name, hint))
        return _WRONG
    if key.check is not None and (must_be := key.check(value)) is not None:
        faults.append(_fault(path, must_be, raw, layer.name))
        return _WRONG
    return value


def _numbers_in(value: object) -> list[Decimal]:
    if isinstance(value, bool):
        return []
    if isinstance(value, int | float | Decimal):
        return [Decimal(value)]
    return []


def _inside(key: Key, number: Decimal) -> bool:
    return (key.low is None or number >= key.low) and (key.high is None or number <= key.high)


def _text(raw: object, textual: bool) -> Any:
    return raw if isinstance(raw, str) and raw == raw.strip() and raw.isprintable() else _WRONG


def _exact(raw: object, textual: bool) -> Any:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str | Decimal):
        return _WRONG
    try:
        number = Decimal(str(raw).strip())
    except InvalidOperation:
        return _WRONG
    # Decimal reads "NaN", "1E+999999" and full-width digits without complaint; each would be trouble further on.
    if not number.is_finite() or not str(raw).isascii():
        return _WRONG
    exponent = number.as_tuple().exponent
    small = isinstance(exponent, int) and exponent >= -LARGEST_EXPONENT and number.adjusted() <= LARGEST_EXPONENT
    return number if small else _WRONG


def _number(raw: object, textual: bool) -> Any:
    if isinstance(raw, str) and not textual:
        return _WRONG
    number = _exact(raw, textual)
    return _WRONG if number is _WRONG else float(number)


def _whole(raw: object, textual: bool) -> Any:
    if isinstance(raw, str) and textual:
        digits = raw.strip().removeprefix("-")
        raw = int(raw) if digits.isascii() and digits.isdigit() and len(digits) < 20 else raw
    if isinstance(raw, bool) or not isinstance(raw, int):
        return _WRONG
    return raw if abs(raw) <= LARGEST_WHOLE else _WRONG


def _flag(raw: object, textual: bool) -> Any:
    if textual:
        words = {
            "true": True,
            "1": True,
            "yes": True,
            "on": True,
            "false": False,
            "0": False,
            "no": False,
            "off": False,
        }
        return words.get(str(raw).strip().lower(), _WRONG)
    return raw if isinstance(raw, bool) else _WRONG


def _as_json(text: str) -> Any:
    """What a typed text says; None when it is no JSON."""
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None


def _texts(raw: object, textual: bool) -> Any:
    if isinstance(raw, str) and textual:
        # Commas, or the list as `config get` prints it.
        raw = (
            _as_json(raw) if raw.lstrip().startswith("[") else [each.strip() for each in raw.split(",") if each.strip()]
        )
    if not isinstance(raw, list | tuple) or not all(isinstance(each, str) for each in raw):
        return _WRONG
    return tuple(raw)


def _numbers(raw: object, textual: bool) -> Any:
    if not isinstance(raw, Mapping) or not all(isinstance(name, str) for name in raw):
        return _WRONG
    numbers = {name: _number(each, False) for name, each in raw.items()}
    return _WRONG if any(each is _WRONG for each in numbers.values()) else numbers


def _members(raw: object, textual: bool) -> Any:
    """A list of objects with `kind`, and perhaps `weight` and `parameters`; nothing else in them."""
    if not isinstance(raw, list | tuple):
        return _WRONG
    members = []
    for each in raw:
        if isinstance(each, MemberSettings):
            members.append(each)
            continue
        if not isinstance(each, Mapping) or "kind" not in each or each.keys() - {"kind", "weight", "parameters"}:
            return _WRONG
        kind = _text(each["kind"], False)
        weight, parameters = _number(each.get("weight", 1.0), False), _numbers(each.get("parameters", {}), False)
        if _WRONG in (kind, weight) or parameters is _WRONG:
            return _WRONG
        members.append(MemberSettings(kind=kind, weight=weight, parameters=parameters))
    return tuple(members)


_READERS: Final[Mapping[Kind, Callable[[object, bool], Any]]] = {
    Kind.TEXT: _text,
    Kind.WHOLE: _whole,
    Kind.NUMBER: _number,
    Kind.DECIMAL: _exact,
    Kind.FLAG: _flag,
    Kind.TEXTS: _texts,
    Kind.NUMBERS: _numbers,
    Kind.MEMBERS: _members,
}


def _read_strategies(raw: object, layer: Layer, faults: list[Fault]) -> Any:
    must_be = f"a list of at most {MAX_STRATEGIES} objects"
    shown = raw
    if layer.textual and isinstance(raw, str):
        raw = _as_json(raw)
    if not isinstance(raw, list) or len(raw) > MAX_STRATEGIES:
        faults.append(_fault(STRATEGIES, must_be, shown, layer.name))
        return _WRONG
    before = len(faults)
    # Inside the list values are JSON values, whatever the layer around it is.
    inside = attrs.evolve(layer, textual=False)
    strategies = [_read_strategy(f"{STRATEGIES}[{i}]", each, inside, faults) for i, each in enumerate(raw)]
    return _WRONG if len(faults) > before else tuple(strategies)


def _read_strategy(path: str, raw: object, layer: Layer, faults: list[Fault]) -> Any:
    if not isinstance(raw, Mapping):
        faults.append(_fault(path, "an object", raw, layer.name))
        return _WRONG
    values: dict[str, Any] = {}
    for name, each in raw.items():
        key = STRATEGY_KEYS.get(name)
        if key is None:
            hint = _did_you_mean(str(name), STRATEGY_KEYS)
            faults.append(
                Fault(
                    path=f"{path}.{_show_name(name)}",
                    must_be="a known name",
                    was="unknown",
                    layer=layer.name,
                    hint=hint,
                )
            )
        else:
            values[name] = _checked(key, f"{path}.{name}", each, layer, faults)
    if "name" not in raw:
        faults.append(Fault(path=f"{path}.name", must_be="given", was="absent", layer=layer.name))
        return _WRONG
    return _WRONG if any(value is _WRONG for value in values.values()) else StrategySettings(**values)


# ------------------------------------------------------------------------------------------------ the settings as one
def _default_strategies(effective: Mapping[str, Effective]) -> Effective:
    """Whoever chose other symbols and named no strategy gets those of the default ones that fit."""
    symbols, timeframes = effective["market.symbols"].value, effective["market.timeframes"].value
    fit = tuple(each for each in Settings().strategies if each.symbol in symbols and each.timeframe in timeframes)
    return Effective(path=STRATEGIES, value=fit, layer=DEFAULTS)


def _assemble(effective: Mapping[str, Effective], version: int) -> Settings:
    values: dict[str, Any] = {"version": version}
    sections: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for path, each in effective.items():
        section, dot, name = path.partition(".")
        if dot:
            sections[section][name] = each.value
        else:
            values[path] = each.value
    types = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    return Settings(**values, **{section: types[section](**inner) for section, inner in sections.items()})


def _contradictions(
    settings: Settings, effective: Mapping[str, Effective], kinds: Mapping[str, StrategyKind]
) -> list[Fault]:
    """Values that are fine alone and make no sense together."""

    def fault(path: str, must_be: str, was: object, *, key: str | None = None, hint: str = "") -> Fault:
        return _fault(path, must_be, was, effective[key or path].layer, hint)

    found: list[Fault] = []
    connection, orders, market = settings.connection, settings.orders, settings.market
    if connection.backoff_cap_s < connection.backoff_base_s:
        must_be = f"at least connection.backoff_base_s ({connection.backoff_base_s})"
        found.append(fault("connection.backoff_cap_s", must_be, connection.backoff_cap_s))
    if connection.ping_interval_s >= connection.silence_timeout_s:
        must_be = f"less than connection.silence_timeout_s ({connection.silence_timeout_s})"
        found.append(fault("connection.ping_interval_s", must_be, connection.ping_interval_s))
    if orders.quarantine_s <= orders.doubt_after_s:
        must_be = f"more than orders.doubt_after_s ({orders.doubt_after_s})"
        found.append(fault("orders.quarantine_s", must_be, orders.quarantine_s))
    names: set[str] = set()
    for i, strategy in enumerate(settings.strategies):
        at = f"{STRATEGIES}[{i}]"
        if strategy.name in names:
            found.append(fault(f"{at}.name", "a name that no other strategy has", strategy.name, key=STRATEGIES))
        names.add(strategy.name)
        if strategy.symbol not in market.symbols:
            must_be = f"one of market.symbols ({', '.join(market.symbols)})"
            found.append(fault(f"{at}.symbol", must_be, strategy.symbol, key=STRATEGIES))
        if strategy.timeframe not in market.timeframes:
            must_be = f"one of market.timeframes ({', '.join(market.timeframes)})"
            found.append(fault(f"{at}.timeframe", must_be, strategy.timeframe, key=STRATEGIES))
        found.extend(
            fault(path, must_be, was, key=STRATEGIES, hint=hint)
            for path, must_be, was, hint in _strategy_faults(at, strategy, kinds)
        )
    return found


def _strategy_faults(
    at: str, strategy: StrategySettings, kinds: Mapping[str, StrategyKind]
) -> list[tuple[str, str, object, str]]:
    kind = kinds.get(strategy.kind)
    if kind is None:
        must_be = f"a known strategy ({', '.join(sorted(kinds))})"
        near = _did_you_mean(strategy.kind, kinds)
        return [(f"{at}.kind", must_be, strategy.kind, near or f"is strategies/{strategy.kind[:32]}.py there?")]
    if kind.fault:
        # A file that is broken today must not keep the engine from starting, nor a person from mending it meanwhile.
        return []
    known = {parameter.name: parameter for parameter in kind.parameters}
    found: list[tuple[str, str, object, str]] = []
    for name, number in strategy.parameters.items():
        path = f"{at}.parameters.{name}"
        parameter = known.get(name)
        if parameter is None:
            found.append((path, f"a parameter of {kind.name}", "unknown", _did_you_mean(name, known)))
            continue
        if not parameter.takes(number):
            found.append((path, parameter.must_be, number, parameter.meaning))
    if not found:
        try:
            kind.start(kind.resolve(strategy.parameters))
        except ValueError as error:
            found.append((f"{at}.parameters", f"free of contradictions ({error})", dict(strategy.parameters), ""))
    try:
        check_members(strategy, kinds)
    except ValueError as error:
        members = [member.kind for member in strategy.members]
        found.append((f"{at}.members", f"right ({error})", members, ""))
    return found
