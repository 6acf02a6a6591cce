"""Machine code is kept under a name that says all that it was made of."""

from pathlib import Path
from types import FunctionType

import pytest

from genesis.domain.indicators import compiling, compiling_passes
from genesis.domain.indicators.compiling import into_callers, kept_name, one_kind_a_name


def _half(number: float) -> float:
    return number / 2


def _step(number: float) -> float:
    return _half(number) + 1.0


def again(function: object, **surroundings: object) -> FunctionType:
    assert isinstance(function, FunctionType)
    return FunctionType(function.__code__, function.__globals__ | surroundings, function.__name__)


def test_it_is_another_name_when_the_compilers_passes_or_options_are_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept under the old name, machine code of passes that were mended would be read for good."""
    name = kept_name(_step)
    sources = [Path(str(module.__file__)).read_bytes() for module in (compiling, compiling_passes)]
    assert compiling._way_of_compiling() == b"".join(sources)
    monkeypatch.setattr(compiling, "_way_of_compiling", lambda: b"".join(sources) + b"#")
    assert kept_name(_step) != name


@pytest.mark.parametrize("mark", [into_callers, one_kind_a_name])
def test_how_a_function_or_one_that_it_calls_is_marked_is_in_the_name(mark: object) -> None:
    assert callable(mark)
    assert kept_name(again(_step)) == kept_name(_step)
    assert kept_name(mark(again(_step))) != kept_name(_step)
    assert kept_name(again(_step, _half=mark(again(_half)))) != kept_name(_step)
