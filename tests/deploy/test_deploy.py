"""What is shipped for running it, checked by the tools that read it: container, composition, alerts, dashboard."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from protocols.risk import TradingState
from tests.house import house, lively_layer, piece_of
from tools.grafana_dashboard import PATH, ROWS, dashboard
from web.metrics import Metrics
from web.server import ServerCounters

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
TOOLS = Path(sys.executable).parent
METRIC = re.compile(r"\b(?:genesis|tradingbot|ws_auth|legacy)_[a-z0-9_]+")
ALERTS = (DEPLOY / "prometheus" / "alerts.yml").read_text()


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_container_file_has_no_fault_that_hadolint_knows() -> None:
    run(TOOLS / "hadolint", DEPLOY / "Dockerfile")


def test_the_composition_is_one() -> None:
    run(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_unit_is_one_that_systemd_takes_and_calls_safe(tmp_path: Path) -> None:
    unit = tmp_path / "genesis.service"
    text = (DEPLOY / "genesis.service").read_text()
    # Its program is not installed here, and everything else is looked at.
    unit.write_text(text.replace("/opt/genesis/bin/genesis", sys.executable))
    assert run("systemd-analyze", "verify", unit).strip() == ""
    # From 0 (nothing is open) to 100; a unit that says nothing has 96.
    run("systemd-analyze", "security", "--offline=true", "--threshold=20", unit)


def test_everything_the_container_copies_is_there() -> None:
    for line in (DEPLOY / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for name in line.split()[1:-1]:
                assert (ROOT / name).exists(), name


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_alerts_fire_when_they_should_and_not_before() -> None:
    run("promtool", "check", "rules", "alerts.yml", cwd=DEPLOY / "prometheus")
    run("promtool", "test", "rules", "alerts_test.yml", cwd=DEPLOY / "prometheus")


def test_every_alert_says_what_to_do_in_a_place_that_exists() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in (ROOT / "docs" / "operating.md").read_text().splitlines()
        if line.startswith("#")
    }
    wanted = re.findall(r"docs/operating\.md#([a-z0-9-]+)", ALERTS)
    assert len(wanted) == ALERTS.count("- alert:")
    assert set(wanted) <= headings


def test_the_dashboard_is_what_its_maker_makes() -> None:
    assert PATH.read_text() == dashboard(), "run `python -m tools.grafana_dashboard`"


async def test_every_metric_that_is_asked_for_is_told_once(tmp_path: Path) -> None:
    async with house(tmp_path, recording=piece_of(minutes=22, skip=600), layer=lively_layer()) as here:
        await here.replay()
        await here.all_orders_known()
        engine = here.engine
        assert engine.cells.risk.value is not None
        assert engine.cells.risk.value.state is TradingState.ACTIVE
        metrics = Metrics.over(engine.readers, engine.hub, ServerCounters())
        metrics.requests.labels("health", "200").inc()
        text = generate_latest(metrics.collected()).decode()
    types = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    assert sorted(types) == sorted(set(types)), "a name that is told twice is refused by Prometheus"
    # A family without samples (no breaker yet) has its TYPE line only.
    told = set(types) | set(re.findall(r"^([a-z_0-9]+)(?:\{| )", text, re.MULTILINE))
    asked = set(METRIC.findall(ALERTS))
    for charts in ROWS.values():
        for chart in charts:
            for query in chart.queries:
                asked |= set(METRIC.findall(query.expression))
    assert asked - told == set()
