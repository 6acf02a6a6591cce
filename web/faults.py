"""What a body, a query or a stream's message had to be: the decoder's complaint in the words of every other refusal.

The decoder says where and what kind (`Expected `str` matching regex '...' - at `$.symbol``). Who sent it needs the
field's name, what it must be, taken from the schema, and what it was; of an unknown field, which fields are known.
"""

import bisect
import difflib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs
import msgspec
from msgspec import inspect

from web.errors import ApiError, Detail

_PLACE: Final = re.compile(r" - at (?P<key>`key` in )?`\$(?P<path>.*)`$")
_STEP: Final = re.compile(r"\.(?P<name>\w+)|\[(?P<index>\d+)\]|(?P<any>\[\.\.\.\])")
_UNKNOWN: Final = re.compile(r"^Object contains unknown field `(?P<name>.*)`$", re.DOTALL)
_MISSING: Final = re.compile(r"^Object missing required field `(?P<name>.*)`$")
_OWN: Final = re.compile(r"^(?P<field>\w+) must be (?P<must_be>.+), was (?P<was>.*)$", re.DOTALL)
_CHOICE: Final = re.compile(r"^\^\((?P<words>[\w|]+)\)\$$")
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,59}")
_HOLE: Final = "\0"  # no JSON text has it
_SHOWN: Final = 60
"""Characters of what was sent that go back: enough to recognise it."""
_NOWHERE: Final = object()


@attrs.frozen(kw_only=True)
class Fault:
    """One thing that is wrong with what was sent. `field` is its path, `strategies[0].kind`; empty for all of it."""

    field: str
    must_be: str
    was: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.field} must be {self.must_be}, was {self.was}{f' ({self.hint})' if self.hint else ''}"


def error_of(fault: Fault) -> ApiError:
    """The refusal (422) of one fault, for people and for programs."""
    told = {"must_be": fault.must_be, "was": fault.was, **({"hint": fault.hint} if fault.hint else {})}
    detail: Detail = {fault.field: told}
    return ApiError(422, str(fault), detail=detail)


def own_fault(text: str) -> ApiError:
    """The refusal (422) that a value's own sentence means: `price must be finite and positive, was -5`."""
    said = _OWN.match(text)
    if said is None:
        return ApiError(422, text)
    return error_of(Fault(field=said["field"], must_be=said["must_be"], was=said["was"]))


def refusal(error: msgspec.ValidationError, sent: Any, kind: type, *, whole: str, text: bool = False) -> ApiError:
    """The answer (422) to `sent` (plain values), of which the decoder for `kind` said `error`.

    `whole` names all of it ("the body"); with `text` all values came as text, as in a query.
    """
    complaint = str(error)
    place = _PLACE.search(complaint)
    what = complaint if place is None else complaint[: place.start()]
    if not what.startswith(("Expected ", "Invalid ", "Number ", "Integer ", "Object ")):
        return own_fault(what)
    return error_of(_fault(what, place, sent, kind, whole=whole, text=text))


def _fault(what: str, place: re.Match[str] | None, sent: Any, kind: type, *, whole: str, text: bool) -> Fault:
    path = "" if place is None else place["path"]
    of_a_name = place is not None and bool(place["key"])
    steps = tuple(_STEP.finditer(path))
    names = _names_met(steps, sent, kind, of_a_name=of_a_name)
    node, value, name = _bare(inspect.type_info(kind)), sent, ""
    for step, met in zip(steps, names, strict=False):
        node, value = _node_below(node, step), _value_below(value, step, met)
        name += _written_step(step, met)
    name = name.removeprefix(".")
    unknown, missing = _UNKNOWN.match(what), _MISSING.match(what)
    if unknown is not None:
        return _unknown(unknown["name"], node, name)
    if missing is not None:
        return _missing(missing["name"], node, name)
    if of_a_name:
        key = next((each.key_type for each in _choices(node) if isinstance(each, inspect.DictType)), node)
        was = "another one" if names[-1] is None else shown(names[-1], quoted=False)
        return Fault(field=f"each name in {name or whole}", must_be=described(key), was=was)
    was = "another one" if value is _NOWHERE else shown(value, quoted=not text and not _takes_text(node))
    return Fault(field=name or whole, must_be=described(node), was=was)


def _unknown(name: str, node: inspect.Type, where: str) -> Fault:
    known = [each.encode_name for each in _fields(node)]
    near = difflib.get_close_matches(name, known, n=1)
    return Fault(
        field=f"a field{f' of {where}' if where else ''}",
        must_be=f"one of {', '.join(known)}" if known else "absent: none is known",
        was=name[:_SHOWN],
        hint=f"did you mean {near[0]}?" if near else "",
    )


def _missing(name: str, node: inspect.Type, where: str) -> Fault:
    must_be = next((described(each.type) for each in _fields(node) if each.encode_name == name), "given")
    return Fault(field=f"{where}.{name}" if where else name, must_be=must_be, was="absent")


# --- which name of a map it is: the decoder writes `[...]` for it ----------------------------------------------------


def _names_met(
    steps: tuple[re.Match[str], ...], sent: Any, kind: type, *, of_a_name: bool
) -> tuple[str | int | None, ...]:
    """What stands at each step: a field, an index, or a map's name; of a fault in a name, that name comes last.

    A map's name is found by asking the decoder again about what was sent with fewer and fewer names in it: it complains
    about the first that is wrong, so half of them tell in which half it is. None where that finds nothing, as in what
    names something twice.
    """
    met: list[str | int | None] = []
    value = sent
    for place in range(len(steps) + of_a_name):
        step = steps[place] if place < len(steps) else None
        if step is not None and not step["any"]:
            met.append(step["name"] or int(step["index"]))
            value = _value_below(value, step, None)
            continue
        name = _first_wrong(value, sent, kind)
        met.append(name)
        if name is None or not isinstance(value, dict):
            return (*met, *(None,) * (len(steps) + of_a_name - len(met)))
        # Alone from here on, or a map below it could not be told from its neighbours'.
        for other in tuple(value):
            if other != name:
                del value[other]
        value = value[name]
    return tuple(met)


def _first_wrong(within: Any, sent: Any, kind: type) -> str | None:
    """The first name of the map `within` (a part of `sent`) that the decoder of `kind` complains about, or None."""
    if not isinstance(within, dict):
        return None
    try:
        head, tail = _json_around(sent, within)
        items = [f"{json.dumps(name)}:{''.join(_json(one, None))}" for name, one in within.items()]
    except RecursionError:
        return None

    def complaint(count: int) -> str:
        try:
            msgspec.json.decode(f"{head}{{{','.join(items[:count])}}}{tail}", type=kind)
        except msgspec.DecodeError as error:
            return str(error)
        return ""

    all_of_it = complaint(len(items))
    index = bisect.bisect_left(range(1, len(items) + 1), True, key=lambda count: complaint(count) == all_of_it)
    return tuple(within)[index] if all_of_it and index < len(items) else None


def _json_around(value: Any, within: dict[str, Any]) -> tuple[str, str]:
    head, _, tail = "".join(_json(value, within)).partition(_HOLE)
    return head, tail


def _json(value: Any, hole: dict[str, Any] | None) -> Iterator[str]:
    """The JSON text of plain values, numbers as they were written, and `_HOLE` where `hole` itself stands."""
    if value is hole and hole is not None:
        yield _HOLE
    elif isinstance(value, dict):
        for index, (name, one) in enumerate(value.items()):
            yield f"{',' if index else '{'}{json.dumps(name)}:"
            yield from _json(one, hole)
        yield "}" if value else "{}"
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield "," if index else "["
            yield from _json(one, hole)
        yield "]" if value else "[]"
    else:
        yield str(value) if isinstance(value, _Number) else json.dumps(value)


def _written_step(step: re.Match[str], met: str | int | None) -> str:
    if not step["any"]:
        return step.group()
    if met is None:
        return "[...]"
    return f".{met}" if _PLAIN_NAME.fullmatch(str(met)) else f"[{shown(str(met))}]"


class _Number(str):
    """A number's own text: a number may be too long to be read, and is only told back."""


def sent_in(raw: bytes | str) -> Any:
    """The plain values of a JSON text, its numbers as they were written. Raises ValueError or RecursionError."""
    return json.loads(raw, parse_int=_Number, parse_float=_Number)


def shown(value: Any, *, quoted: bool = True) -> str:
    """A value as it is told back, cut short. Text stands bare where text is what was asked for."""
    bare = isinstance(value, str) and not quoted and value.strip()
    text = str(value) if bare else _written(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _written(value: Any, depth: int = 4) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict | list) and value and not depth:
        return "…"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(name)}: {_written(one, depth - 1)}' for name, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(_written(one, depth - 1) for one in value)}]"
    return json.dumps(value, ensure_ascii=False)


# --- the schema ------------------------------------------------------------------------------------------------------


def described(node: inspect.Type) -> str:
    """What a value of this schema is, in words: `a whole number of 1 to 1000`."""
    words = getattr(node, "extra_json_schema", None)
    if words and "description" in words:
        return str(words["description"])
    node = _bare(node)
    match node:
        case inspect.UnionType():
            several = [described(each) for each in node.types if not isinstance(each, inspect.NoneType)]
            return " or ".join(dict.fromkeys(several))
        case inspect.StrType():
            return _text(node)
        case inspect.IntType():
            return f"a whole number{_range(node)}"
        case inspect.FloatType() | inspect.DecimalType():
            return f"a number{_range(node)}"
        case inspect.BoolType():
            return "true or false"
        case inspect.EnumType():
            return f"one of {', '.join(str(each.value) for each in node.cls)}"
        case inspect.LiteralType():
            return f"one of {', '.join(str(each) for each in node.values)}"
        case inspect.ListType() | inspect.VarTupleType():
            return f"a list{_length(node, 'items')}"
        case inspect.StructType() | inspect.DictType():
            return f"an object{_length(node, 'fields')}"
        case inspect.NoneType():
            return "null"
        case inspect.AnyType():
            return "any value"
        case _:
            return "another value"


def _text(node: inspect.StrType) -> str:
    if node.pattern is None:
        return f"text{_length(node, 'characters')}"
    choice = _CHOICE.match(node.pattern)
    return f"one of {choice['words'].replace('|', ', ')}" if choice else f"text that matches {node.pattern}"


def _range(node: Any) -> str:
    low, above, high = (getattr(node, name, None) for name in ("ge", "gt", "le"))
    if low is not None and high is not None:
        return f" of {_plain(low)} to {_plain(high)}"
    parts = (("above", above), ("at least", low), ("at most", high))
    words = " and ".join(f"{word} {_plain(bound)}" for word, bound in parts if bound is not None)
    return f" {words}" if words else ""


def _plain(bound: float) -> str:
    return str(int(bound)) if bound == int(bound) else str(bound)


def _length(node: Any, unit: str) -> str:
    low, high = getattr(node, "min_length", None), getattr(node, "max_length", None)
    if low and high:
        return f" of {low} {unit}" if low == high else f" of {low} to {high} {unit}"
    if low:
        return f" of at least {low} {unit}"
    return f" of at most {high} {unit}" if high else ""


def _bare(node: inspect.Type) -> inspect.Type:
    return node.type if isinstance(node, inspect.Metadata) else node


def _fields(node: inspect.Type) -> tuple[inspect.Field, ...]:
    return next((each.fields for each in _choices(node) if isinstance(each, inspect.StructType)), ())


def _choices(node: inspect.Type) -> Iterator[inspect.Type]:
    node = _bare(node)
    if isinstance(node, inspect.UnionType):
        for each in node.types:
            yield from _choices(each)
    else:
        yield node


def _takes_text(node: inspect.Type) -> bool:
    return any(isinstance(each, inspect.StrType | inspect.EnumType | inspect.LiteralType) for each in _choices(node))


def _node_below(node: inspect.Type, step: re.Match[str]) -> inspect.Type:
    for each in _choices(node):
        match each:
            case inspect.StructType() if step["name"]:
                return next((field.type for field in each.fields if field.encode_name == step["name"]), node)
            case inspect.ListType() | inspect.VarTupleType() if step["index"]:
                return each.item_type
            case inspect.DictType() if step["any"]:
                return each.value_type
    return node


def _value_below(value: Any, step: re.Match[str], met: str | int | None) -> Any:
    if step["any"]:
        return value.get(met, _NOWHERE) if isinstance(value, Mapping) and isinstance(met, str) else _NOWHERE
    if step["name"] and isinstance(value, Mapping):
        return value.get(step["name"], _NOWHERE)
    if step["index"] and isinstance(value, list) and int(step["index"]) < len(value):
        return value[int(step["index"])]
    return _NOWHERE
