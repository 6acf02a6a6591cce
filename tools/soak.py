"""Runs the engine for a long time against its exchange, breaks things now and then, and says what grew.

    python -m tools.soak [--minutes 60] [--speed 20] [--folder soak] [--calm]

The engine is a process of its own on a fresh user directory. Every ten seconds its memory, file descriptors, threads,
time to answer and own figures are written to samples.jsonl; every twenty seconds it is asked for some trouble (a killed
actor, a dropped socket, a stalled feed, maintenance). At the end the slope of memory over the second half is told, with
what was traded and what went wrong, in summary.json and soak.png. The exit code is 1 when orders were in doubt at the
end, letters were dead, or the engine ended by itself.
"""

import argparse
import json
import math
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
SAMPLE_S: Final = 10.0
TROUBLE_S: Final = 20.0
WATCHED: Final = (
    "genesis_orders_total",
    "genesis_fills_total",
    "genesis_orders_unknown",
    "genesis_positions_naked",
    "genesis_position_naked_worst_seconds",
    "genesis_actor_crashes_total",
    "genesis_dead_letters_total",
    "genesis_reconnects_total",
    "genesis_frames_in_total",
    "genesis_replay_progress_ratio",
)


class Engine:
    """The process, and what it says."""

    def __init__(self, folder: Path, speed: str, census_s: float) -> None:
        home = folder / "home"
        counted = ["tools.census", str(folder / "census"), str(census_s), "--"] if census_s else ["genesis"]
        self._log = (folder / "engine.log").open("w")
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                *counted,
                "run",
                "--speed",
                speed,
                "--port",
                "0",
                "--dev",
                "--data-dir",
                str(home),
            ],
            cwd=ROOT,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._run_file = home / "run.json"
        self._token = ""
        self._token_at = -math.inf
        self.address = ""

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def wait_until_up(self) -> None:
        deadline = time.monotonic() + 120
        while not self._run_file.exists():
            if not self.alive() or time.monotonic() > deadline:
                raise SystemExit("the engine must come up within two minutes, did not: see engine.log")
            time.sleep(0.2)
        self.address = json.loads(self._run_file.read_text())["address"]

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        """One request with a token that is fresh. Raises OSError."""
        if path != "/api/v2/auth/ws-token" and time.monotonic() - self._token_at > 600:
            asked = {"user_id": "soak", "scope": "admin", "expiry_hours": 0.25}
            self._token = json.loads(self.ask("POST", "/api/v2/auth/ws-token", asked))["token"]
            self._token_at = time.monotonic()
        headers = {"authorization": f"Bearer {self._token}"} if self._token else {}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["content-type"] = "application/json"
        request = urllib.request.Request(f"{self.address}{path}", data=data, headers=headers, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - the engine on loopback
            return bytes(answer.read())

    def stop(self) -> float:
        """Seconds from SIGTERM to the end."""
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._log.close()
        return time.monotonic() - began


def sample(engine: Engine, began: float) -> dict[str, float]:
    """What is seen from outside, and what it says of itself. Raises OSError when it does not answer."""
    status = Path(f"/proc/{engine.pid}/status").read_text()
    asked = time.perf_counter()
    metrics = engine.ask("GET", "/metrics").decode()
    answered_ms = (time.perf_counter() - asked) * 1000
    seen = {
        "at_s": time.monotonic() - began,
        "rss_mib": int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024,
        "threads": float(re.findall(r"Threads:\s+(\d+)", status)[0]),
        "descriptors": float(len(os.listdir(f"/proc/{engine.pid}/fd"))),
        "metrics_ms": answered_ms,
    }
    for name in WATCHED:
        found = re.search(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", metrics, re.MULTILINE)
        if found:
            seen[name] = float(found.group(1))
    return seen


def troubles(engine: Engine) -> list[dict[str, Any]]:
    """Everything that can be asked for: each actor killed, each fault of the list."""
    told = json.loads(engine.ask("GET", "/api/v2/actors"))
    wishes: list[dict[str, Any]] = []

    def walk(node: dict[str, Any], path: str) -> None:
        children = node.get("children", [])
        if not children and path:
            wishes.append({"kill": path})
        for child in children:
            walk(child, f"{path}/{child['name']}" if path else child["name"])

    walk(told.get("tree", told), "")
    for kind in json.loads(engine.ask("GET", "/api/v2/chaos")).get("kinds", []):
        if kind["target"] != "actor":
            wishes.append({"fault": kind["fault"], **({"seconds": 3.0} if "seconds" in kind["takes"] else {})})
    return wishes


def slope_mib_per_hour(samples: list[dict[str, float]]) -> float:
    """Least squares over the second half: the first is still filling what is bounded."""
    half = samples[len(samples) // 2 :]
    if len(half) < 3:
        return 0.0
    found = statistics.linear_regression([one["at_s"] / 3600 for one in half], [one["rss_mib"] for one in half])
    return float(found.slope)


def draw(samples: list[dict[str, float]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    minutes = [one["at_s"] / 60 for one in samples]
    figure, axes = pyplot.subplots(4, 1, figsize=(10, 10), sharex=True, layout="constrained")
    rows = (
        ("memory, MiB", ("rss_mib",)),
        ("descriptors, threads", ("descriptors", "threads")),
        ("ms to answer /metrics", ("metrics_ms",)),
        ("since the start", ("genesis_actor_crashes_total", "genesis_reconnects_total", "genesis_fills_total")),
    )
    for axis, (title, names) in zip(axes, rows, strict=True):
        for name in names:
            label = name.removeprefix("genesis_").removesuffix("_total").replace("_", " ")
            axis.plot(minutes, [one.get(name, 0.0) for one in samples], label=label, linewidth=1.2)
        axis.set_title(title, loc="left", fontsize=10)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        axis.legend(loc="upper left", fontsize=8)
    axes[-1].set_xlabel("minutes")
    figure.savefig(path, dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--speed", default="20")
    parser.add_argument("--folder", type=Path, default=Path("soak"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--calm", action="store_true", help="no trouble")
    parser.add_argument("--census", type=float, default=0.0, help="count what lives every so many seconds (slow)")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(options.seed)  # noqa: S311 - which trouble comes next
    engine = Engine(options.folder, options.speed, options.census)
    began = time.monotonic()
    samples: list[dict[str, float]] = []
    silent = asked = refused = 0
    try:
        engine.wait_until_up()
        next_trouble = began + 2 * TROUBLE_S
        wishes: list[dict[str, Any]] = []
        with (options.folder / "samples.jsonl").open("w") as file:
            while engine.alive() and time.monotonic() - began < options.minutes * 60:
                time.sleep(SAMPLE_S)
                try:
                    samples.append(sample(engine, began))
                    file.write(json.dumps(samples[-1]) + "\n")
                    file.flush()
                    if not options.calm and time.monotonic() >= next_trouble:
                        next_trouble += TROUBLE_S
                        wishes = wishes or troubles(engine)
                        engine.ask("POST", "/api/v2/chaos", chance.choice(wishes))
                        asked += 1
                except urllib.error.HTTPError:
                    refused += 1
                except OSError:
                    silent += 1
        lived = engine.alive()
    finally:
        took_s = engine.stop()
    last = samples[-1] if samples else {}
    summary = {
        "minutes": round((time.monotonic() - began) / 60, 1),
        "speed": options.speed,
        "troubles": asked,
        "refused": refused,
        "silent": silent,
        "lived_to_the_end": lived,
        "stop_s": round(took_s, 2),
        "rss_mib_first": round(samples[0]["rss_mib"], 1) if samples else None,
        "rss_mib_last": round(last.get("rss_mib", 0.0), 1),
        "rss_mib_most": round(max((one["rss_mib"] for one in samples), default=0.0), 1),
        "slope_mib_per_hour": round(slope_mib_per_hour(samples), 2),
        "descriptors_most": max((one["descriptors"] for one in samples), default=0.0),
        "metrics_ms_p50": round(statistics.median(one["metrics_ms"] for one in samples), 1) if samples else None,
        "metrics_ms_most": round(max((one["metrics_ms"] for one in samples), default=0.0), 1),
        **{name: last.get(name) for name in WATCHED},
    }
    (options.folder / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    if samples:
        draw(samples, options.folder / "soak.png")
    print(json.dumps(summary, indent=1))
    wrong = last.get("genesis_orders_unknown", 0) or last.get("genesis_dead_letters_total", 0) or not lived
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
