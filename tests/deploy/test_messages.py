"""Every message that asks something of its reader has an entry that says what to do."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "messages.md").read_text()
NEWS = frozenset({"regime", "strategy_restarted", "engine_started", "position_agrees", "stream_stale", "stream_fresh"})
"""Told for information: nothing is asked of anybody."""
OTHER_WORDS = frozenset({"reduce", "error"})
"""Beside a level stand words that are no codes: actions of a setting, levels themselves."""

SPOKEN = (
    re.compile(r"\bNotice\([^)]*?code=\"([a-z_]+)\"", re.DOTALL),
    re.compile(r"\"(?:alarm|warning)\",\s*\"([a-z_]+)\""),
    re.compile(r"\.(?:alarms|warnings)\.append\(\(\s*\"([a-z_]+)\""),
    re.compile(r"\blog\.(?:warning|error|critical)\(\s*\"([a-z_]+)\""),
)


def codes() -> set[str]:
    found: set[str] = set()
    for room in ("genesis", "actors", "web"):
        for path in (ROOT / room).rglob("*.py"):
            text = path.read_text()
            for pattern in SPOKEN:
                found |= set(pattern.findall(text))
    return found


def test_the_codes_are_found() -> None:
    assert {"books_differ", "reconnects", "fills_missing", "engine_gave_up"} <= codes()


def test_every_code_is_explained() -> None:
    explained = set(re.findall(r"`([a-z_]+)`", PAGE))
    assert codes() - NEWS - OTHER_WORDS - explained == set()
