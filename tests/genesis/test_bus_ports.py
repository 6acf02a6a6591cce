"""The client of the configuration bus is there before the event loop turns."""

import subprocess
import sys

import pytest

PROGRAM = "import sys; from genesis.bus_ports import load_client; load_client({}); print('{}' in sys.modules)"


@pytest.mark.parametrize(("environment", "loaded"), [({}, "False"), ({"GENESIS_REDIS_URL": "redis://h"}, "True")])
def test_it_is_loaded_where_a_bus_is_named_and_only_there(environment: dict[str, str], loaded: str) -> None:
    pytest.importorskip("coredis")
    program = PROGRAM.format(environment, "coredis")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == loaded
