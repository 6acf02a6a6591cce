"""A world's story as one HTML page: lanes of what happened over virtual time, and every line below them."""

import html
from typing import Final

from genesis.worlds.witness import Line
from genesis.worlds.world import Outcome

LANES: Final = {
    "VIOLATION": "#d62246",
    "fault": "#e07a1f",
    "kill": "#8f2d56",
    "engine": "#3f6fb5",
    "actor": "#7a5ea8",
    "order": "#2a9d5c",
    "fill": "#138a8a",
    "frame": "#6b7a90",
    "venue": "#96722e",
    "world": "#444444",
}
WIDTH, LANE, LEFT, TOP = 1200, 30, 96, 28

STYLE: Final = """
:root{color-scheme:light dark;--ink:#1c2430;--paper:#fbfaf7;--line:#dcd8cf;--soft:#6d7480}
@media(prefers-color-scheme:dark){:root{--ink:#e7e5df;--paper:#14181e;--line:#2c333d;--soft:#98a0ab}}
body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1320px;padding:0 1rem;
color:var(--ink);background:var(--paper)}
h1{font-size:1.3rem;margin:0 0 .2rem}p{margin:.2rem 0;color:var(--soft)}code{user-select:all}
dl{display:flex;flex-wrap:wrap;gap:.4rem 2rem;margin:1rem 0}dt{color:var(--soft);font-size:.8rem}
dd{margin:0;font-size:1.15rem;font-variant-numeric:tabular-nums}
*{box-sizing:border-box}svg{width:100%;height:auto;border:1px solid var(--line);border-radius:8px}
svg text{fill:var(--soft);font:11px system-ui}svg circle:hover{r:6}
table{border-collapse:collapse;width:100%;font:12px/1.5 ui-monospace,monospace;margin-top:1rem}
td{padding:1px 10px 1px 0;vertical-align:top;border-bottom:1px solid var(--line)}td:first-child{white-space:nowrap}
.VIOLATION{color:#d62246;font-weight:600}input{width:100%;padding:.5rem;font:inherit;margin-top:1rem}
"""

SCRIPT: Final = """
document.querySelector('input').addEventListener('input',function(e){var w=e.target.value.toLowerCase();
document.querySelectorAll('tr').forEach(function(r){r.hidden=w&&r.textContent.toLowerCase().indexOf(w)<0})})
"""


def page(outcome: Outcome) -> str:
    """The whole page; it needs nothing beside itself."""
    verdict = "no violation" if not outcome.violations else f"{len(outcome.violations)} violations"
    figures = {
        "virtual time": f"{outcome.virtual_s / 3600:.2f} h",
        "faults": outcome.faults,
        "kills": outcome.kills,
        "lives": outcome.lives,
        "crashes": outcome.crashes,
        "orders": outcome.orders,
        "trades": outcome.fills,
        "steps": f"{outcome.steps:,}",
        "rules looked at": f"{sum(outcome.checks.values()):,}",
    }
    shown = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures.items())
    broken = "".join(f'<p class="VIOLATION">{html.escape(str(one))}</p>' for one in outcome.violations)
    rows = "".join(map(_row, outcome.lines))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>World {outcome.seed}</title>'
        f"<style>{STYLE}</style></head><body><h1>World {outcome.seed}: {verdict}</h1>"
        f"<p>again: <code>{html.escape(outcome.replay)}</code></p><p>digest <code>{outcome.digest}</code></p>"
        f"<dl>{shown}</dl>{broken}{_picture(outcome)}"
        f'<input placeholder="show only lines that hold …" aria-label="filter"><table>{rows}</table>'
        f"<script>{SCRIPT}</script></body></html>\n"
    )


def _row(line: Line) -> str:
    cells = (_clock(line.at_s), line.kind, html.escape(line.text))
    return f'<tr class="{line.kind}">{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _clock(at_s: float) -> str:
    minutes, seconds = divmod(at_s, 60)
    return f"{int(minutes) // 60:02d}:{int(minutes) % 60:02d}:{seconds:06.3f}"


def _picture(outcome: Outcome) -> str:
    lanes = [lane for lane in LANES if any(line.kind == lane for line in outcome.lines)]
    height = TOP + LANE * len(lanes) + 12
    end = max(outcome.virtual_s, *(line.at_s for line in outcome.lines), 1.0)

    def across(at_s: float) -> float:
        return LEFT + (WIDTH - LEFT - 40) * at_s / end

    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="what happened over virtual time">']
    hours = end / 3600
    step = next(step for step in (5, 10, 15, 30, 60, 120, 360, 10**9) if hours * 60 / step <= 14)
    for minute in range(0, int(end / 60) + 1, step):
        x = across(minute * 60)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{height}" stroke="currentColor" opacity=".1"/>'
        )
        parts.append(f'<text x="{x + 3:.1f}" y="{TOP - 12}">{minute // 60}:{minute % 60:02d}</text>')
    for number, lane in enumerate(lanes):
        y = TOP + LANE * number + LANE / 2
        parts.append(f'<text x="8" y="{y + 4}">{lane}</text>')
        parts += [_dot(line, across(line.at_s), y, LANES[lane]) for line in outcome.lines if line.kind == lane]
    return "".join(parts) + "</svg>"


def _dot(line: Line, x: float, y: float, colour: str) -> str:
    title = html.escape(f"{_clock(line.at_s)} {line.text}")
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}" fill-opacity=".7"><title>{title}</title></circle>'
    )
