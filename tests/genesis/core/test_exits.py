"""What an ended task's exception means, alone and in groups."""

import pytest
import trio

from genesis.core import exits


async def a_cancelled() -> trio.Cancelled:
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as cancelled:
            kept = cancelled
            raise
    return kept


async def test_a_cancellation_is_no_crash() -> None:
    cancelled = await a_cancelled()
    assert exits.crash(cancelled) is None
    assert exits.crash(BaseExceptionGroup("", [cancelled, cancelled])) is None
    assert exits.way_out(cancelled) is None


async def test_an_error_in_the_clean_up_of_a_cancelled_actor_is_a_crash() -> None:
    """`except Exception` does not see it: the group is no Exception."""
    error = ValueError("dropped")
    group = BaseExceptionGroup("", [await a_cancelled(), BaseExceptionGroup("", [error])])
    assert not isinstance(group, Exception)
    left = exits.crash(group)
    assert isinstance(left, ExceptionGroup)
    assert exits.first_line(left) == "ValueError: dropped"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_a_way_out_goes_first_wherever_it_hides(kind: type[BaseException]) -> None:
    out, error = kind(), ValueError("v")
    assert exits.way_out(out) is out
    assert exits.crash(out) is None
    group = BaseExceptionGroup("", [error, BaseExceptionGroup("", [out])])
    hidden = exits.way_out(group)
    assert isinstance(hidden, BaseExceptionGroup)
    assert isinstance(exits.crash(group), ExceptionGroup)


def test_a_plain_error_is_a_crash() -> None:
    error = ValueError("v")
    assert exits.crash(error) is error
    assert exits.way_out(error) is None
    assert exits.way_out(ExceptionGroup("", [error])) is None


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("one\ntwo"), "ValueError: one"),
        (ValueError(), "ValueError"),
        (ValueError("  \n "), "ValueError"),
        (ExceptionGroup("many", [ExceptionGroup("more", [KeyError("k")]), ValueError()]), "KeyError: 'k'"),
    ],
)
def test_one_line_says_what_happened(error: BaseException, line: str) -> None:
    assert exits.first_line(error) == line
