"""Builds the environments of other people's clients from their own hashed locks: two of Python, and one for Node.

They cannot live in `.venv` nor with one another: bitfinex-api-py wants websockets below 13, cryptofeed above. Clients
in Node need node and npm on the machine; without them their tests are skipped.
"""

import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

import attrs

ROOT: Final = Path(__file__).resolve().parent.parent
NODE_FOLDER: Final = ROOT / "tools" / "clients"
NODE_LOCK: Final = NODE_FOLDER / "package-lock.json"
NODE_MODULES: Final = NODE_FOLDER / "node_modules"
NODE_STAMP: Final = NODE_MODULES / ".installed"


@attrs.frozen
class PythonEnv:
    """An environment of its own, made of one lock."""

    lock: Path
    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def stamp(self) -> Path:
        return self.folder / ".installed"

    def is_current(self) -> bool:
        """Whether it stands and holds what the lock says."""
        return self.stamp.exists() and self.stamp.read_bytes() == self.lock.read_bytes() and self.python.exists()

    def build(self) -> bool:
        """Make it. uv of our own environment does it in seconds; pip, where there is none, in a minute."""
        if self.is_current():
            return True
        self.stamp.unlink(missing_ok=True)
        if not self.python.exists():
            venv.create(self.folder, with_pip=True)
        uv = Path(sys.executable).parent / "uv"
        to = ("--quiet", "--require-hashes")
        installed = uv.exists() and _run(uv, "pip", "sync", *to, "--python", self.python, self.lock)
        if not installed:
            installed = _run(self.python, "-m", "pip", "install", *to, "-r", self.lock)
        if installed:
            self.stamp.write_bytes(self.lock.read_bytes())
        return installed


TRADERS: Final = PythonEnv(ROOT / "requirements-clients.lock", ROOT / ".venv-clients")
FEEDS: Final = PythonEnv(ROOT / "requirements-feed.lock", ROOT / ".venv-clients-feed")


def _run(*command: str | Path) -> bool:
    return subprocess.run([str(part) for part in command], cwd=ROOT, check=False).returncode == 0


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
    if not FEEDS.build():
        print("cryptofeed could not be installed; the lines above say why", file=sys.stderr)
    if TRADERS.build():
        return 0
    print("the clients' environment could not be installed; the lines above say why", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
