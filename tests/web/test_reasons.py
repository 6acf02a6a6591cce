"""The Swedish of what the engine says in sentences: none is missing, and each keeps every number of the English one."""

import re
from collections.abc import Iterator

import pytest

from genesis.domain.config_keys import KEYS
from genesis.domain.probability import Drift
from genesis.domain.regime import describe
from genesis.domain.risk_codes import NEVER_BY_ITSELF, RULE_TEXTS
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategies.probability_gated import _words
from protocols.regime import RegimeName
from tests.recorded_candles import recorded_candles
from tests.web.test_words import read, words_of

SENTENCES = words_of(read("reasons.js"))
MEANINGS = words_of(read("meanings.js"))
PLACE = re.compile(r"\{(\w+)!?\}")


def pattern(english: str) -> re.Pattern[str]:
    return re.compile("(.*?)".join(map(re.escape, re.split(r"\{\w+\}", english))), re.DOTALL)


PATTERNS = [pattern(english) for english in SENTENCES]


def known(text: str) -> bool:
    return any(each.fullmatch(text) for each in PATTERNS)


def test_each_swedish_sentence_has_the_places_of_its_english_one() -> None:
    assert len(SENTENCES) > 90
    for english, swedish in SENTENCES.items():
        assert sorted(PLACE.findall(english)) == sorted(PLACE.findall(swedish)), english
        assert "!}" not in english


def test_until_when_is_in_swedish_too() -> None:
    assert NEVER_BY_ITSELF in SENTENCES


@pytest.mark.parametrize("rule", sorted(RULE_TEXTS))
def test_a_refusal_and_what_to_do_about_it_are_in_swedish(rule: str) -> None:
    assert RULE_TEXTS[rule].sentence in SENTENCES
    assert RULE_TEXTS[rule].advice in SENTENCES


@pytest.mark.parametrize("key", KEYS)
def test_what_a_setting_means_is_in_swedish(key: str) -> None:
    assert KEYS[key].meaning in MEANINGS
    assert not KEYS[key].unit or KEYS[key].unit in MEANINGS


def test_what_parameters_of_shipped_strategies_mean_is_in_swedish() -> None:
    meanings = {each.meaning for kind in STRATEGY_KINDS.shipped.values() for each in kind.parameters}
    assert meanings <= MEANINGS.keys()


def said_by_strategies() -> Iterator[str]:
    for kind in STRATEGY_KINDS.shipped.values():
        yield kind.text
        if kind.name == "ensemble":
            continue
        parameters = {each.name: each.default for each in kind.parameters}
        state = kind.start(parameters)
        for candle in recorded_candles()[:1500]:
            yield from kind.step(state, candle).reasons


def test_what_shipped_strategies_say_is_in_swedish() -> None:
    told = set(said_by_strategies())
    assert len(told) > 1500
    assert [text for text in told if not known(text)] == []


def test_what_an_ensemble_and_a_model_say_is_in_swedish() -> None:
    for text in (
        "ema_cross (weight 1) votes +1.00: EMA 12 (8) crossed above EMA 26 (7)",
        "the vote is +0.75, at least 0.5, what an entry takes",
        "probability 61.3% (base rate 50.1%)",
        _words(Drift(resolved=0.0, said=0.5, came=0.5, gap=0.0, allowed=0.1, trust=1.0)),
        _words(Drift(resolved=90.0, said=0.5, came=0.6, gap=0.1, allowed=0.2, trust=1.0)),
        _words(Drift(resolved=90.0, said=0.5, came=0.9, gap=0.4, allowed=0.2, trust=0.4)),
    ):
        assert known(text), text


@pytest.mark.parametrize("name", list(RegimeName))
def test_a_regime_is_explained_in_swedish(name: RegimeName) -> None:
    assert known(describe(name, -1.2, 22.0, 1.5, 2.0))
