"""The page's Swedish: each page has a word for all that it shows, and the parts that pages share say the same thing."""

import re
from pathlib import Path

import pytest

from tests.deploy.test_messages import NEWS

JS = Path(__file__).parents[2] / "web" / "static" / "js"
PAGES = sorted(path.stem for path in (JS / "pages").glob("*.js"))
PAIR = re.compile(r'"((?:[^"\\]|\\.)+)":\s*"((?:[^"\\]|\\.)+)"')
IMPORT = re.compile(r'^(?:import|export) .*? from "(\.[^"]+)";', re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r'\btr?\("((?:[^"\\]|\\.)+)"\)')
EITHER = re.compile(r'\btr?\([^()"]*\? "([^"]+)" : "([^"]+)"\)')


def read(name: str) -> str:
    return (JS / name).read_text()


def parts_of(name: str) -> set[str]:
    """A module and all that it needs, as paths below JS; vendored files are not looked at."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        found.add(module)
        for target in IMPORT.findall(read(module)):
            path = (JS / module).parent.joinpath(target).resolve()
            if path.is_relative_to(JS):
                waiting.append(str(path.relative_to(JS)))
    return found


def words_of(text: str) -> dict[str, str]:
    return dict(PAIR.findall(text))


def own_words(module: str) -> dict[str, str]:
    """What the page itself brings, with what it takes from a part (`...searchWords`)."""
    text = read(module)
    block = re.search(r"^export const words = \{$(.*?)^\};$", text, re.MULTILINE | re.DOTALL)
    own = words_of(block[1]) if block else {}
    if block and "...searchWords" in block[1]:
        own |= words_of(read("searches.js"))
    return own


def shared_words(modules: set[str]) -> dict[str, str]:
    """The base, and what parts add to it for everybody."""
    base = words_of(read("words.js"))
    for module in modules:
        for block in re.findall(r"^addWords\(\{$(.*?)^\}\);$", read(module), re.MULTILINE | re.DOTALL):
            base |= words_of(block)
    return base


@pytest.mark.parametrize("page", PAGES)
def test_every_text_of_a_page_and_of_its_parts_has_a_swedish_one(page: str) -> None:
    modules = parts_of(f"pages/{page}.js")
    known = own_words(f"pages/{page}.js") | shared_words(modules)
    shown = {text for module in modules for text in SHOWN.findall(read(module))}
    shown |= {text for module in modules for pair in EITHER.findall(read(module)) for text in pair}
    assert len(shown) >= 15
    assert sorted(shown - set(known)) == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_other_word_for_what_is_shared(page: str) -> None:
    """A table's heading would change with the page that it stands on."""
    shared = shared_words(parts_of("pages/orders.js"))
    other = {text for text, swedish in own_words(f"pages/{page}.js").items() if shared.get(text, swedish) != swedish}
    # Plurals and results of tests, where the shared word is one thing's state.
    assert other - {"passed", "refused", "Trades", "running", "spread"} == set()


def test_every_notice_has_a_swedish_title() -> None:
    """By its code: the engine's own text behind it stays as it was said."""
    rows = (Path(__file__).parents[2] / "docs" / "messages.md").read_text().splitlines()
    told = {code for row in rows if row.startswith("| `") for code in re.findall(r"`([a-z_]+)`", row.split(" | ")[0])}
    assert len(told) > 80
    titled = set(re.findall(r'\b([a-z_]+): "', read("notices.js")))
    assert told | NEWS | {"settings_changed", "history_there"} <= titled
