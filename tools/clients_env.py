"""Builds `.venv-clients`, the environment of other people's clients, from its own hashed lock.

They cannot live in `.venv`: bitfinex-api-py wants websockets below 13, the engine wants the newest.
"""

import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
LOCK: Final = ROOT / "requirements-clients.lock"
FOLDER: Final = ROOT / ".venv-clients"
STAMP: Final = FOLDER / ".installed"


def python() -> Path:
    return FOLDER / "bin" / "python"


def is_current() -> bool:
    """Whether the environment stands and holds what the lock says."""
    return STAMP.exists() and STAMP.read_bytes() == LOCK.read_bytes() and python().exists()


def _run(*command: str | Path) -> bool:
    return subprocess.run([str(part) for part in command], cwd=ROOT, check=False).returncode == 0


def build() -> bool:
    """Make it. uv of our own environment does it in seconds; pip, where there is none, in a minute."""
    if is_current():
        return True
    STAMP.unlink(missing_ok=True)
    if not python().exists():
        venv.create(FOLDER, with_pip=True)
    uv = Path(sys.executable).parent / "uv"
    installed = uv.exists() and _run(uv, "pip", "sync", "--quiet", "--require-hashes", "--python", python(), LOCK)
    if not installed:
        installed = _run(python(), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", LOCK)
    if installed:
        STAMP.write_bytes(LOCK.read_bytes())
    return installed


def main() -> int:
    if build():
        return 0
    print("the clients' environment could not be installed; the lines above say why", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
