"""The page's libraries are the ones that were vendored, and the content policy fits them."""

import json
import re
from pathlib import Path

from tools.vendor_web import CHECKER, HASHES, LOCK, VENDOR, chart_style_hash, sums
from web.guard import CHART_STYLE_HASH

STATIC = VENDOR.parent


def test_the_copies_are_what_was_vendored() -> None:
    assert (VENDOR / HASHES).read_text() == sums()
    assert (CHECKER / HASHES).read_text() == sums(CHECKER)


def test_the_lock_names_no_host_and_a_hash_for_everything() -> None:
    text = (LOCK / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    assert not any("resolved" in package for package in packages.values())
    assert all("integrity" in package for name, package in packages.items() if name)


def test_the_policy_allows_exactly_the_charts_own_style() -> None:
    assert chart_style_hash() == CHART_STYLE_HASH


def test_our_own_files_load_nothing_from_elsewhere() -> None:
    for path in (*STATIC.glob("*.*"), *(STATIC / "js").rglob("*.*")):
        text = path.read_text()
        for word in ("http://", "https://"):
            for line in text.splitlines():
                assert word not in line or "www.tradingview.com" in line or "www.w3.org/2000/svg" in line, (path, line)
        for word in ("eval(", "innerHTML", "document.write"):
            assert word not in text, path


def test_every_library_has_its_licence() -> None:
    names = {path.name for path in Path(VENDOR).iterdir()}
    assert {"LICENSE-htm", "LICENSE-preact", "LICENSE-lightweight-charts", "LICENSE-uplot"} <= names


def test_every_page_is_in_the_navigation_once() -> None:
    listed = re.findall(r'path: "(\w+)".*import\("\./pages/(\w+)\.js"\)', (STATIC / "js" / "pages.js").read_text())
    files = {path.stem for path in (STATIC / "js" / "pages").glob("*.js")}
    assert all(path == module for path, module in listed)
    assert len(listed) == len(files)
    assert {path for path, _ in listed} == files
