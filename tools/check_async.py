"""Runs flake8-async over the files that have something asynchronous in them, and remembers those that passed.

It finds what ruff cannot: a swallowed Cancelled, an await in a finally without shield and deadline. It needs two
seconds for a file of 600 lines, so files without `async` are left out and unchanged ones are not read again.
"""

import hashlib
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
ROOMS: Final = ("genesis", "actors", "protocols", "web", "tools", "tests")
CACHE: Final = ROOT / ".async_cache"
ASYNCHRONOUS: Final = re.compile(r"\basync (?:def|with|for)\b")
FILES_A_CALL: Final = 8

# What ruff does not have. Left out: 910 to 913 (a checkpoint on every path: actors ack and reply without one on
# purpose), 124 (async without await: a handler's signature is given), 114 and 128 (they guess at names), 127 (httpx is
# chosen).
RULES: Final = (101, 102, 103, 104, 106, 111, 112, 113, 118, 119, 121, 122, 123, 125, 126)
ENABLED: Final = ",".join(f"ASYNC{number}" for number in RULES)


def asynchronous_files() -> list[Path]:
    return [
        path
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        if ASYNCHRONOUS.search(path.read_text(encoding="utf-8"))
    ]


def stamp_of(path: Path) -> Path:
    """Where it is remembered that this content passed these rules of this version."""
    words = f"{version('flake8-async')} {ENABLED} {path.relative_to(ROOT)}\n".encode()
    return CACHE / hashlib.sha256(words + path.read_bytes()).hexdigest()


def check(paths: list[Path]) -> str:
    """What flake8-async says of these files; nothing when they are well."""
    program = Path(sys.executable).with_name("flake8-async")
    done = subprocess.run(
        [str(program), f"--enable={ENABLED}", *(str(path.relative_to(ROOT)) for path in paths)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    if done.returncode == 0 or done.stdout:
        for path in paths:
            if f"{path.relative_to(ROOT)}:" not in said:
                stamp_of(path).touch()
    return said


def main() -> int:
    CACHE.mkdir(exist_ok=True)
    files = asynchronous_files()
    changed = [path for path in files if not stamp_of(path).exists()]
    calls = [changed[at : at + FILES_A_CALL] for at in range(0, len(changed), FILES_A_CALL)]
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        said = "".join(pool.map(check, calls))
    print(said, end="")
    print(f"asynchronous code: {'kept' if not said else 'faults above'} ({len(files)} files, {len(changed)} read)")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
