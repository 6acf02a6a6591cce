"""What the tests of supervisors are given."""

import pytest

from tests.genesis.core.stage import Stage


@pytest.fixture
def stage() -> Stage:
    return Stage()
