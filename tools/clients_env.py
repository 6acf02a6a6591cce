"""Builds the environments of other people's clients from their own hashed locks: `.venv-clients`, and one for Node.

They cannot live in `.venv`: bitfinex-api-py wants websockets below 13, the engine wants the newest. Clients in Node
need node and npm on the machine; without them their tests are skipped.
"""

import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
LOCK: Final = ROOT / "requirements-clients.lock"
FOLDER: Final = ROOT / ".venv-clients"
STAMP: Final = FOLDER / ".installed"
NODE_FOLDER: Final = ROOT / "tools" / "clients"
NODE_LOCK: Final = NODE_FOLDER / "package-lock.json"
NODE_MODULES: Final = NODE_FOLDER / "node_modules"
NODE_STAMP: Final = NODE_MODULES / ".installed"


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


def node_is_current() -> bool:
    """Whether the clients in Node are there, as their lock says, and node to run them."""
    return (
        shutil.which("node") is not None and NODE_STAMP.exists() and NODE_STAMP.read_bytes() == NODE_LOCK.read_bytes()
    )


def build_node() -> bool:
    """Install them without running anybody's install scripts. npm checks the hashes of the lock."""
    if node_is_current():
        return True
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        return False
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    if subprocess.run(command, cwd=NODE_FOLDER, check=False).returncode != 0:
        return False
    NODE_STAMP.write_bytes(NODE_LOCK.read_bytes())
    return True


def main() -> int:
    if not build_node():
        print("the clients in Node could not be installed (they need node and npm)", file=sys.stderr)
    if build():
        return 0
    print("the clients' environment could not be installed; the lines above say why", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
