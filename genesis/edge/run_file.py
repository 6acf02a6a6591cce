"""Where a running engine says how it is reached, so that commands find it without being told."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class RunFile:
    """`address` is what a client on this machine dials, as http://127.0.0.1:8000; `page` is what people open.

    `certificate` is the file that the engine shows over TLS: whoever can read this file trusts exactly that one.
    """

    pid: int
    address: str
    mode: str
    started_ms: int
    page: str = ""
    certificate: str = ""

    def write(self, path: Path) -> None:
        """Replace the file as a whole; readers see the old one or this one."""
        draft = path.with_name(path.name + ".new")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as out:
            json.dump(attrs.asdict(self), out)
        draft.replace(path)


def read(path: Path) -> RunFile | None:
    """What the file says, None when there is none or it makes no sense. The engine may be gone all the same."""
    try:
        content: Any = json.loads(path.read_text())
        return RunFile(
            pid=int(content["pid"]),
            address=str(content["address"]),
            mode=str(content["mode"]),
            started_ms=int(content["started_ms"]),
            page=str(content.get("page") or content["address"]),
            certificate=str(content.get("certificate", "")),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remove(path: Path) -> None:
    """At the end of a run. A file that is gone already is fine."""
    with contextlib.suppress(OSError):
        path.unlink()
