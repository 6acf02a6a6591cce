"""The page's files: from memory, packed, and under addresses that a browser may keep for good.

A page is sent with the digest of all files in their addresses (`/static/~DIGEST/js/main.js`), so a browser never asks
again for what it has, and asks at once for what changed. Modules name one another relatively, so the digest holds for
all of them; what the first view needs is named in the page's head, so that it is fetched at once and not one import
after another. There is no build: a file that is edited under a running engine is read again.
"""

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

import attrs
import trio

from web.guard import Application, Receive, Scope, Send

PAGES: Final = {"/": "index.html", "/docs": "docs.html", "/ws": "console.html"}
PREFIX: Final = "/static/"
FOR_GOOD: Final = b"public, max-age=31536000, immutable"
ASK_AGAIN: Final = b"no-cache"
"""The answer is 304 unless the engine was updated under an open page."""
FIRST_VIEW: Final = {
    "index.html": ("js/begin.js", "js/main.js", "js/pages/overview.js"),
    "docs.html": ("js/docs.js",),
    "console.html": ("js/console.js",),
    "waiting.html": ("js/waiting.js",),
}
"""The modules that a page shows nothing without; what they import is found."""
WORTH_PACKING: Final = 1024
IMPORTS: Final = re.compile(r"""^(?:import|export)\s[^;]*?\bfrom\s+"(\.[^"]+)";|^import\s+"(\.[^"]+)";""", re.MULTILINE)


@attrs.define
class _File:
    stamp: tuple[int, int]
    body: bytes
    tag: str
    content_type: bytes
    packed: bytes | None = None


@attrs.define
class StaticFiles:
    """Everything below `root`. A file is read when it is asked for first, and again when its time or size changed."""

    root: Path
    _files: dict[str, _File] = attrs.field(factory=dict, init=False)

    def names(self) -> list[str]:
        """Relative names of all files, sorted."""
        return sorted(path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file())

    def get(self, name: str) -> _File | None:
        """The file of that relative name, or None when there is none."""
        path = self.root / name
        if ".." in PurePosixPath(name).parts or name.startswith("/"):
            return None
        try:
            told = path.stat()
            stamp = (told.st_mtime_ns, told.st_size)
            known = self._files.get(name)
            if known is not None and known.stamp == stamp:
                return known
            body = path.read_bytes()
        except (OSError, ValueError):
            # ValueError: a name with a zero byte.
            return None
        content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        if content_type.startswith("text/") or content_type == "application/javascript":
            content_type = f"{content_type.replace('application/javascript', 'text/javascript')}; charset=utf-8"
        made = _File(stamp, body, _tag(body), content_type.encode())
        self._files[name] = made
        return made

    def digest(self) -> str:
        """What stands for the state of all files: another one after any change."""
        sums = hashlib.blake2b(digest_size=8)
        for name in self.names():
            file = self.get(name)
            sums.update(f"{name} {'' if file is None else file.tag}\n".encode())
        return sums.hexdigest()

    def needed_by(self, *modules: str) -> list[str]:
        """The modules and all that they import, each once: all that the first one needs before anything of the next."""
        found: dict[str, None] = {}
        waiting = list(reversed(modules))
        while waiting:
            name = waiting.pop()
            if name in found:
                continue
            found[name] = None
            file = self.get(name)
            imports = () if file is None else IMPORTS.findall(file.body.decode())
            waiting += [_resolved(name, plain or bare) for plain, bare in reversed(imports)]
        return list(found)


def _resolved(module: str, relative: str) -> str:
    parts: list[str] = list(PurePosixPath(module).parent.parts)
    for part in PurePosixPath(relative).parts:
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _tag(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=12).hexdigest()


@attrs.define
class StaticSite:
    """ASGI: answers for the pages and their files, and hands everything else to `app`."""

    app: Application
    files: StaticFiles
    pages: Mapping[str, str] = PAGES
    """Which file is shown at an address."""
    _digest: str = attrs.field(default="", init=False)
    """What the newest page was sent with: only files that are asked for under it may be kept for good."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        path: str = scope["path"]
        headers = {bytes(key).lower(): bytes(value).decode("latin1") for key, value in scope["headers"]}
        if path in self.pages or _is_dashboard(path, headers):
            await self._page(self.pages.get(path, self.pages["/"]), scope["method"], headers, send)
        elif path.startswith(PREFIX):
            await self._file(path.removeprefix(PREFIX), scope, receive, headers, send)
        else:
            await self.app(scope, receive, send)

    async def _page(self, name: str, method: str, headers: dict[bytes, str], send: Send) -> None:
        page = self.files.get(name)
        assert page is not None, f"the package must have {name}"
        self._digest = self.files.digest()
        prefix = f"{PREFIX}~{self._digest}/"
        text = page.body.decode().replace(f'"{PREFIX}', f'"{prefix}')
        needed = self.files.needed_by(*FIRST_VIEW.get(name, ()))
        links = "".join(f'    <link rel="modulepreload" href="{prefix}{module}" />\n' for module in needed)
        body = text.replace("  </head>", f"{links}  </head>", 1).encode()
        await _answer(body, _tag(body), b"text/html; charset=utf-8", ASK_AGAIN, method, headers, send)

    async def _file(self, name: str, scope: Scope, receive: Receive, headers: dict[bytes, str], send: Send) -> None:
        digest, cached = "", ASK_AGAIN
        if name.startswith("~"):
            digest, _, name = name[1:].partition("/")
        file = self.files.get(name)
        if file is None:
            await self.app(scope, receive, send)
            return
        if digest and digest == self._digest:
            cached = FOR_GOOD
        body, tag = file.body, file.tag
        packs = len(body) >= WORTH_PACKING and "gzip" in headers.get(b"accept-encoding", "")
        if packs:
            if file.packed is None:
                # A few milliseconds for the largest, once; in a thread, where they are not taken from the market.
                file.packed = await trio.to_thread.run_sync(lambda: gzip.compress(file.body, 6, mtime=0))
            body, tag = file.packed, f"{tag}-gzip"
        await _answer(body, tag, file.content_type, cached, scope["method"], headers, send, packed=packs)


def _is_dashboard(path: str, headers: dict[bytes, str]) -> bool:
    """One address for both: a browser that goes there gets the page, a program the numbers."""
    return (
        path == "/observability/dashboard"
        and b"authorization" not in headers
        and "text/html" in headers.get(b"accept", "")
    )


async def _answer(
    body: bytes,
    tag: str,
    content_type: bytes,
    cached: bytes,
    method: str,
    headers: dict[bytes, str],
    send: Send,
    *,
    packed: bool = False,
) -> None:
    known = [one.strip().removeprefix("W/").strip('"') for one in headers.get(b"if-none-match", "").split(",")]
    same = tag in known
    told: list[tuple[bytes, bytes]] = [
        (b"etag", f'"{tag}"'.encode()),
        (b"cache-control", cached),
        (b"vary", b"accept-encoding"),
    ]
    if not same:
        told += [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
        if packed:
            told.append((b"content-encoding", b"gzip"))
    start: dict[str, Any] = {"type": "http.response.start", "status": 304 if same else 200, "headers": told}
    await send(start)
    await send({"type": "http.response.body", "body": b"" if same or method == "HEAD" else body, "more_body": False})
