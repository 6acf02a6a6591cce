"""Builds the virtual environment from the lock, with nothing but the standard library and pip to begin with.

The lock holds a hash for every file. uv installs it in seconds; where uv has no wheel, pip does the same in minutes.
"""

import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
OLDEST = (3, 11)
SYSTEM = Path("/usr/bin/python3")
FITS = f"import ensurepip, sys, venv; sys.exit(sys.version_info[:2] < {OLDEST})"


def locked(package: str, lock: str) -> str:
    """The lock's entry of one package, hashes included. Raises LookupError when it has none."""
    entry = re.search(rf"^{re.escape(package)}==(?:.*\\\n)*.*\n", lock, re.MULTILINE)
    if entry is None:
        raise LookupError(f"{LOCK.name} must list {package}, and does not: run `make lock`")
    return entry.group()


def _run(*command: str | Path) -> bool:
    return subprocess.run([str(part) for part in command], cwd=ROOT, check=False).returncode == 0


def _install_uv(python: Path, folder: Path) -> bool:
    only_uv = folder / "uv.lock.txt"
    only_uv.write_text(locked("uv", LOCK.read_text()))
    return _run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", only_uv)


def _install_all(python: Path, folder: Path) -> bool:
    uv = folder / "bin" / "uv"
    if (uv.exists() or _install_uv(python, folder)) and _run(
        uv, "pip", "sync", "--quiet", "--require-hashes", "--python", python, LOCK
    ):
        return True
    print("uv could not install the lock; pip does it now, which takes longer", file=sys.stderr)
    return _run(python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", LOCK)


def _install_genesis(python: Path) -> bool:
    # The lock has the build backend, so this step needs neither network nor a build environment.
    return _run(
        python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--editable", ROOT
    )


def plainly_built() -> bool:
    """Whether whoever compiled this Python left out its optimizations, as pyenv does unless it is told otherwise.

    A distribution does not say so where one can read it, and has them.
    """
    told = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    return sys.platform == "linux" and sys.base_prefix != "/usr" and "--enable-optimizations" not in told


def better_built() -> str:
    """Which command has the environment made by a quicker Python that is here; empty: none is, or this is one."""
    if not plainly_built() or not SYSTEM.exists():
        return ""
    if subprocess.run([SYSTEM, "-c", FITS], check=False, capture_output=True).returncode:
        return ""
    return f"rm -rf .venv && make install PYTHON={SYSTEM}"


def main() -> int:
    if sys.version_info[:2] < OLDEST:
        print(f"Genesis needs Python 3.11 or newer, this is {sys.version.split()[0]}", file=sys.stderr)
        return 1
    folder = (ROOT / (sys.argv[1] if len(sys.argv) > 1 else ".venv")).absolute()
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"making the virtual environment in {folder.name} (once; under a minute with a warm cache)", flush=True)
        venv.create(folder, with_pip=True)
        if command := better_built():
            print(f"this Python was compiled without optimizations; {SYSTEM} takes a tenth less time: {command}")
    if _install_all(python, folder) and _install_genesis(python):
        return 0
    print("the environment could not be installed; the lines above say why", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
