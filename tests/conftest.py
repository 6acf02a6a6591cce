"""What all tests share: each failure is told when it happens, and one closing line says which programs were missing."""

import importlib.util
import logging
import shutil
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from tools import clients_env

# A run tells of what was changed, so its examples are the same in every run, on a slow machine, too. Chance goes
# hunting on its own: `make hunt`.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.register_profile("hunt", max_examples=2000, deadline=None)
settings.load_profile("fixed")


def _absent() -> list[str]:
    """Each absent program with the marker of the tests that its absence skips."""
    absent = []
    if not any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")):
        absent.append("no browser (page tests skipped)")
    if not any(shutil.which(name) for name in ("redis-server", "valkey-server")):
        absent.append("no Redis (bus tests skipped)")
    if shutil.which("promtool") is None:
        absent.append("no promtool (alert rules not tried)")
    if importlib.util.find_spec("numba") is None:
        absent.append("no numba (kernels ran in plain Python)")
    if not clients_env.TRADERS.is_current():
        absent.append("no clients' environment (conformance tests skipped: make clients)")
    return absent


@pytest.fixture(autouse=True)
def _no_logging_of_another_test() -> Iterator[None]:
    """A command that ran in this process set its logging up for all of it, and its terminal is that test's."""
    yield
    root = logging.getLogger()
    ours = [handler for handler in root.handlers if getattr(handler, "_genesis", False)]
    for handler in ours:
        root.removeHandler(handler)
        handler.close()
    if ours:
        structlog.reset_defaults()
        root.setLevel(logging.WARNING)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reasons = _absent()
    for item in items:
        for marker, words in (("browser", "no browser"), ("redis", "no Redis")):
            if item.get_closest_marker(marker) and any(reason.startswith(words) for reason in reasons):
                item.add_marker(pytest.mark.skip(reason=words))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    absent = _absent()
    terminalreporter.write_line(
        f"skipped for: {'; '.join(absent)}" if absent else "browser, Redis, promtool, numba and clients: present"
    )


class _Teller:
    """Where a run is ended from outside, its summary never comes; the names of what failed are out before."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self.terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.terminal.ensure_newline()
            crash = getattr(report.longrepr, "reprcrash", None)
            reason = f": {crash.message[:500]}" if crash is not None else ""
            self.terminal.write_line(f"failed ({report.when}, {report.duration:.0f} s): {report.nodeid}{reason}")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    # Only where results come together.
    if terminal is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Teller(terminal))
