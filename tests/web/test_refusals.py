"""The Swedish of what the API refuses with: each sentence of the web has one, with every number of the English one."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import inspect

from genesis.domain.order_check import OrderFault
from tests.web.test_reasons import PLACE, pattern
from tests.web.test_words import read, words_of
from web.faults import described
from web.routes import ROUTES

ROOT = Path(__file__).parents[2]
SENTENCES = words_of(read("refusals.js"))
PATTERNS = [pattern(english) for english in SENTENCES]
SAYS = {"ApiError", "Refused", "too_many", "TokenError", "NoProof", "own_fault"}
FILES = [
    *sorted((ROOT / "web").glob("*.py")),
    *(ROOT / "genesis" / name for name in ("transfer_desk.py", "asking.py", "chaos_desk.py")),
]
NOT_SHOWN = {"guard.py"}
"""Its refusals are of what a browser on our own page never sends."""
FOR_PROGRAMS = ("the Authorization header", "sub and jti", "scope must be read", "7 must be a whole number of seconds")
"""Of headers and tokens that the page does not make."""
PUT_TOGETHER = ("7 holds nothing7", "7. Close one of them first", "not_understood")
"""Whole sentences stand in the list."""
HOLE = "7"


def known(text: str) -> bool:
    return any(each.fullmatch(text) for each in PATTERNS)


def filled(node: ast.expr) -> str | None:
    """A sentence with something in each of its places; None for what is put together elsewhere."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(each.value) if isinstance(each, ast.Constant) else HOLE for each in node.values)
    if isinstance(node, ast.BinOp):
        left, right = filled(node.left), filled(node.right)
        return (HOLE if left is None else left) + (HOLE if right is None else right)
    return None


def sentences_of(path: Path) -> Iterator[str]:
    for call in ast.walk(ast.parse(path.read_text())):
        if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] in SAYS:
            # The last is for people; what stands before it is a status, or a code.
            texts = [text for each in call.args if (text := filled(each)) is not None]
            yield from texts[-1:]


def answers_of(path: Path) -> Iterator[str]:
    """What a route answers with when it did something: every `message`, and what is handed to who makes one."""
    for call in ast.walk(ast.parse(path.read_text())):
        if not isinstance(call, ast.Call):
            continue
        name = ast.unparse(call.func)
        given = [each.value for each in call.keywords if each.arg == "message"] if name == "Accepted" else []
        last = call.args[-1:] if name in ("_accepted", "tell_risk", "_set_state", "notices.append") else []
        for each in (*given, *last):
            both = (each.body, each.orelse) if isinstance(each, ast.IfExp) else (each,)
            yield from (text for one in both if (text := filled(one)) is not None)


SAID_YES = [
    *(ROOT / "web" / f"{name}.py" for name in ("commands", "risk_commands", "trading", "book_routes", "inside_routes")),
    ROOT / "genesis" / "domain" / "order_check.py",
]


def test_each_answer_that_a_button_shows_is_in_swedish() -> None:
    told = [text for path in SAID_YES for text in answers_of(path)]
    assert len(told) > 14
    assert {"closing 7", "entries are paused", "template 7 is gone"} <= {*told}
    assert [text for text in told if not known(text)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_refusal_that_the_page_can_show_is_in_swedish(path: Path) -> None:
    if path.name in NOT_SHOWN:
        return
    missing = [
        text for text in sentences_of(path) if not text.startswith((*FOR_PROGRAMS, *PUT_TOGETHER)) and not known(text)
    ]
    assert missing == []


def test_sentences_are_found() -> None:
    found = {text for path in FILES for text in sentences_of(path)}
    assert len(found) > 100
    assert {"risk has not answered yet", "no order is known by 7", "risk refused the order: 7"} <= found


def test_each_swedish_refusal_has_the_places_of_its_english_one() -> None:
    assert len(SENTENCES) > 150
    for english, swedish in SENTENCES.items():
        assert sorted(PLACE.findall(english)) == sorted(PLACE.findall(swedish)), english
        assert "!}" not in english


def test_what_the_fields_of_each_body_must_be_is_in_swedish() -> None:
    bodies = [inspect.type_info(body) for route in ROUTES for body in (route.body, route.query)]
    fields = [field for body in bodies if isinstance(body, inspect.StructType) for field in body.fields]
    words = {described(field.type) for field in fields}
    assert len(words) > 30
    assert sorted(word for word in words if not known(word)) == []


def test_what_an_order_must_be_is_in_swedish() -> None:
    tree = ast.parse((ROOT / "genesis" / "domain" / "order_check.py").read_text())
    told = [
        text
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == OrderFault.__name__
        if (text := filled(call.args[1])) is not None
    ]
    assert len(told) > 15
    # A place at the beginning is "above" or "below" there.
    shown = [text.replace(HOLE, "above", 1) if text.startswith(HOLE) else text for text in told]
    assert [text for text in shown if not known(text)] == []
