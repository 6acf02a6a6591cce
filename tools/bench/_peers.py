"""Other people's programs beside which ours is measured, each set in an environment of its own.

`peers/NAME.in` says what and in which version, `peers/NAME.lock` (written by `make lock`) holds the hashes of all of
it, and `.venv-bench-NAME` is made of that. `peers/*.py` run in these environments and print one number a peer can be
compared by as their last word. A full run of the bench builds every environment first; a quick one asks nobody.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

from tools import clients_env
from tools.bench._figures import is_quick
from tools.clients_env import PythonEnv

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = Path(__file__).resolve().parent / "peers"
TIME_LIMIT_S: Final = 300


def environment(name: str) -> PythonEnv:
    """The environment of `peers/NAME.lock`, built or not."""
    return PythonEnv(FOLDER / f"{name}.lock", ROOT / f".venv-bench-{name}")


def environments() -> dict[str, PythonEnv]:
    """Every environment that a full run needs, by name; the conformance suite's two are used here too."""
    own = {path.stem: environment(path.stem) for path in sorted(FOLDER.glob("*.lock"))}
    return {"clients": clients_env.TRADERS, "feed": clients_env.FEEDS, **own}


def build_all() -> list[str]:
    """Build what is not there yet; the names of those that could not be."""
    return [name for name, environment in environments().items() if not environment.build()]


def python_of(environment: PythonEnv) -> Path | None:
    """Its interpreter, or None where it was not built or the run is a quick one."""
    return environment.python if environment.is_current() and not is_quick() else None


def told_by(environment: PythonEnv, script: str, *arguments: object) -> float | None:
    """The last word that `peers/SCRIPT` prints, as a number; None when there is no such peer here or it failed."""
    python = python_of(environment)
    if python is None:
        return None
    command = [str(python), str(FOLDER / script), *map(str, arguments)]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        print(f"{script} must be done in {TIME_LIMIT_S} s, was not", file=sys.stderr)
        return None
    if ended.returncode or not ended.stdout.split():
        print(f"{script} failed: {ended.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return float(ended.stdout.split()[-1])
