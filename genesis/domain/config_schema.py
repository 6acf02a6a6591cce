"""The settings as JSON Schema (draft 2020-12), made from the key registry, for editors and for other people's tools.

It says what one value may be. What values may not be together, only building the settings can say (`settings_build`).
"""

from decimal import Decimal
from typing import Any, Final

from genesis.domain.config_keys import KEYS, SECTIONS, STRATEGIES, STRATEGY_KEYS, Key, Kind
from genesis.domain.settings_build import LARGEST_WHOLE, MAX_STRATEGIES, plain
from genesis.domain.strategies.ensemble import MOST_MEMBERS

SCHEMA_VERSION: Final = 1
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
DECIMAL_TEXT: Final = r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"


def schema() -> dict[str, Any]:
    """The schema of `config/settings.json`; each member of `$defs` is the schema of one section's file."""
    sections = {section: _section(section) for section in SECTIONS}
    properties: dict[str, Any] = {path: key_schema(key) for path, key in KEYS.items() if "." not in path}
    properties[STRATEGIES] = {"$ref": f"#/$defs/{STRATEGIES}"}
    properties |= {section: {"$ref": f"#/$defs/{section}"} for section in SECTIONS}
    return {
        "$schema": DIALECT,
        "$id": f"urn:genesis:settings:v{SCHEMA_VERSION}",
        "title": f"Genesis settings, version {SCHEMA_VERSION}",
        "description": "Every key is optional. No key is a secret: those come from files, commands and providers.",
        "type": "object",
        "additionalProperties": False,
        "properties": dict(sorted(properties.items())),
        "$defs": dict(sorted({**sections, STRATEGIES: _strategies()}.items())),
    }


def key_schema(key: Key) -> dict[str, Any]:
    """One key: its type, range, default, meaning, and as `x-` words what only we know of it."""
    told: dict[str, Any] = {"description": key.meaning, **_TYPES[key.kind]}
    if key.choices:
        told["enum"] = list(key.choices)
    if key.kind in _NUMERIC:
        told |= {
            word: _number(limit) for word, limit in (("minimum", key.low), ("maximum", key.high)) if limit is not None
        }
        if key.kind is Kind.WHOLE:
            told.setdefault("maximum", LARGEST_WHOLE)
    default = plain(key.default)
    if default is not None:
        told["default"] = default
    if key.unit:
        told["x-unit"] = key.unit
    told["x-applies"] = key.applies.value
    told["x-scope"] = key.scope.value
    told["x-environment"] = key.environment
    if key.alias:
        told["x-alias"] = key.alias
    return told


_NUMERIC: Final = frozenset({Kind.WHOLE, Kind.NUMBER, Kind.DECIMAL})
_TYPES: Final[dict[Kind, dict[str, Any]]] = {
    Kind.TEXT: {"type": "string"},
    Kind.WHOLE: {"type": "integer"},
    Kind.NUMBER: {"type": "number"},
    # Exact numbers may be written as text, so that no reader of the file rounds them.
    Kind.DECIMAL: {"type": ["number", "string"], "pattern": DECIMAL_TEXT},
    Kind.FLAG: {"type": "boolean"},
    Kind.TEXTS: {"type": "array", "items": {"type": "string"}},
    Kind.NUMBERS: {"type": "object", "additionalProperties": {"type": "number"}},
    Kind.MEMBERS: {
        "type": "array",
        "maxItems": MOST_MEMBERS,
        "items": {
            "type": "object",
            "additionalProperties": False,
            "required": ["kind"],
            "properties": {
                "kind": {"type": "string"},
                "weight": {"type": "number", "exclusiveMinimum": 0, "maximum": 1000},
                "parameters": {"type": "object", "additionalProperties": {"type": "number"}},
            },
        },
    },
}


def _number(limit: Decimal) -> int | float:
    return int(limit) if limit == int(limit) else float(limit)


def _section(section: str) -> dict[str, Any]:
    mine = {path.partition(".")[2]: key for path, key in KEYS.items() if path.startswith(section + ".")}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: key_schema(key) for name, key in sorted(mine.items())},
    }


def _strategies() -> dict[str, Any]:
    members = {name: key_schema(key) for name, key in sorted(STRATEGY_KEYS.items())}
    for member in members.values():
        del member["x-environment"]
    item = {"type": "object", "additionalProperties": False, "required": ["name"], "properties": members}
    return {"type": "array", "maxItems": MAX_STRATEGIES, "items": item}
