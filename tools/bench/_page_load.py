"""How long the page takes from its address to being of use, in a real browser on the program as a user starts it.

Of use is: the stream is live, and the chart, the equity line and every card show values. The moments are the page's own
(`performance.now()` counts from the navigation), so the browser's start is not among them. Every visit is somebody
new: nothing is in the browser's cache.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import attrs

from tools.bench.engine import ROOT, free_port, running, until_well

BROWSERS: Final = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
VISITS: Final = 3
TRADED_S: Final = 10.0
PATIENCE_S: Final = 30.0
REST_S: Final = 1.0
WATCH: Final = """
(() => {
  window.usableMs = 0;
  const of = (selector) => document.querySelector(selector);
  const look = () => {
    if (window.usableMs || of(".bone") || of(".chart .over")) return;
    if (!of(".plot canvas") || !of(".equity-plot canvas")) return;
    if ([...document.querySelectorAll(".pill")].some((pill) => pill.textContent.startsWith("Live")))
      window.usableMs = performance.now();
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true, characterData: true });
})();
"""


@attrs.frozen
class Visits:
    """Medians: seconds until it was of use, requests, and seconds of the engine's processor for a visit."""

    usable_s: float
    requests: float
    engine_s: float


def visits() -> Visits | None:
    """None where there is no browser to ask with."""
    path = next((path for path in BROWSERS if Path(path).exists()), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    if path is None:
        return None
    with tempfile.TemporaryDirectory() as home:
        port = free_port()
        words = ["run", "--data-dir", home, "--port", str(port), "--speed", "60"]
        with running([sys.executable, "-m", "genesis", *words]) as process, sync_playwright() as playwright:
            until_well(port, process)
            time.sleep(TRADED_S)
            idle = _processor_s(process.pid)
            time.sleep(REST_S)
            idle = (_processor_s(process.pid) - idle) / REST_S
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            told = [_visit(browser, process.pid, _link(home, port), idle) for _ in range(VISITS + 1)][1:]
            browser.close()
    return Visits(*(statistics.median(values) for values in zip(*told, strict=True)))


def _visit(browser: Any, pid: int, link: str, idle: float) -> tuple[float, int, float]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US")
    page = context.new_page()
    page.add_init_script(WATCH)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    began, began_s = time.perf_counter(), _processor_s(pid)
    page.goto(link, wait_until="commit")
    while not (usable_ms := page.evaluate("window.usableMs || 0")):
        if time.perf_counter() - began > PATIENCE_S:
            raise SystemExit(f"the page must be of use within {PATIENCE_S:g} s, was not")
        time.sleep(0.2)
    used_s = _processor_s(pid) - began_s - idle * (time.perf_counter() - began)
    context.close()
    return usable_ms / 1e3, len(asked), used_s


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _link(home: str, port: int) -> str:
    command = (sys.executable, "-m", "genesis", "token", "--link", "--data-dir", home, "--port", str(port), "--json")
    told = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    return str(told["link"])
