"""A child process that cannot be started is as gone as one that has died."""

import pytest

from genesis.edge.child import Child, ChildGone


def test_a_process_that_cannot_be_started_is_the_childs_trouble() -> None:
    """Whoever asks for a strategy's opinion switches that one off; any other error would take all of them along."""
    child = Child(("/nowhere/python",), folder=None, environment={})
    with pytest.raises(ChildGone, match="must start, did not"):
        child.ask(b"what do you think", within_s=1.0)
    assert not child.running
