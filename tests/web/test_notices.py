"""The Swedish of what the engine says in notices: each sentence is one that it says, and keeps every place of it."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.web.test_words import read, words_of

ROOT = Path(__file__).parents[2]
PLACE = re.compile(r"\{(\w+)!?\}")
SENTENCES = {english: swedish for english, swedish in words_of(read("notices.js")).items() if "{" in english}
PUT_TOGETHER = {
    "order {}: the venue executed {}, its trades show {}; the position counts what the venue says": (
        "order {}: the venue executed {}, its trades show {}",
        "{}; the position counts what the venue says",
    ),
    "{}: our fills hold {} on margin, the venue {}; nothing is opened in it": (
        "{}: our fills hold {} on margin, the venue {}",
        "{}; nothing is opened in it",
    ),
    "{} reached {}, it is {}": ("{} reached {}", ", it is {}"),
}
"""Sentences that the engine makes of two."""


def template(text: str) -> str:
    """With a place where the engine puts something; what it puts side by side is one."""
    return re.sub(r"(\{\})+", "{}", text)


@cache
def said_by_the_engine() -> frozenset[str]:
    found = set()
    for folder in ("genesis", "actors"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = (str(one.value) if isinstance(one, ast.Constant) else "{}" for one in node.values)
                    found.add(template("".join(parts)))
    return frozenset(found)


@pytest.mark.parametrize("english", SENTENCES)
def test_each_is_said_by_the_engine_in_these_words(english: str) -> None:
    """One that was worded anew would be English on the Swedish page from then on, and nobody would see it."""
    text = template(PLACE.sub("{}", english))
    assert set(PUT_TOGETHER.get(text, (text,))) <= said_by_the_engine()


def test_each_keeps_the_places_of_its_english_one() -> None:
    assert len(SENTENCES) > 20
    for english, swedish in SENTENCES.items():
        assert sorted(PLACE.findall(english)) == sorted(PLACE.findall(swedish)), english
        assert "!}" not in english
