"""The page's files: kept for good under their digest, packed when asked for so, and never anything beside them."""

import gzip
from pathlib import Path

import pytest

from tests.web.fakes import a_web
from web.app import STATIC
from web.static_files import FIRST_VIEW, StaticFiles


async def test_a_page_names_its_files_by_their_digest_and_those_are_kept_for_good() -> None:
    async with a_web().client(None) as client:
        page = await client.get("/")
        digest = page.text.partition("/static/~")[2].partition("/")[0]
        assert page.headers["cache-control"] == "no-cache"
        main = await client.get(f"/static/~{digest}/js/main.js")
        assert "immutable" in main.headers["cache-control"]
        # Another digest is of another release: what it names may be newer, and must not be kept.
        old = await client.get("/static/~0123456789abcdef/js/main.js")
        assert (old.status_code, old.headers["cache-control"]) == (200, "no-cache")
        assert old.content == main.content == (STATIC / "js" / "main.js").read_bytes()


async def test_everything_that_the_first_view_needs_is_named_in_its_head() -> None:
    needed = StaticFiles(STATIC).needed_by(*FIRST_VIEW["index.html"])
    assert {"js/store.js", "js/tables.js", "vendor/lightweight-charts.js", "vendor/uplot.js"} <= set(needed)
    assert all((STATIC / name).is_file() for name in needed)
    assert not [name for name in needed if name.startswith("js/pages/") and name != "js/pages/overview.js"]
    async with a_web().client(None) as client:
        page = (await client.get("/")).text
    assert all(f'/{name}" />' in page for name in needed)


async def test_large_texts_are_packed_for_those_who_take_it() -> None:
    async with a_web().client(None) as client:
        path = "/static/vendor/uplot.js"
        async with client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as packed:
            body = b"".join([part async for part in packed.aiter_raw()])
        plain = await client.get(path, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == plain.content
    assert len(body) * 2 < len(plain.content)
    assert "content-encoding" not in plain.headers
    assert plain.headers["etag"] != packed.headers["etag"]
    assert packed.headers["vary"] == "accept-encoding"


async def test_head_has_the_headers_alone_and_other_methods_find_nothing() -> None:
    async with a_web().client(None) as client:
        head = await client.head("/static/page.css")
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["content-length"]) > 1000
        assert (await client.post("/static/page.css", json={})).status_code in (404, 405)
        assert (await client.get("/static/nothing.js")).status_code == 404


def test_a_file_that_is_edited_is_read_again_and_changes_the_digest(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("1;")
    files = StaticFiles(tmp_path)
    before = files.digest()
    (tmp_path / "a.js").write_text("two;")
    file = files.get("a.js")
    assert file is not None
    assert file.body == b"two;"
    assert files.digest() != before


@pytest.mark.parametrize("name", ["../app.py", "js/../../app.py", "/etc/passwd", "js", "\0", ""])
def test_nothing_outside_and_no_folder_is_a_file(name: str) -> None:
    assert StaticFiles(STATIC).get(name) is None
