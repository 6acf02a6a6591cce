"""The process of one job: `python -m genesis.job_child`, started by the engine and by commands, never by hand.

A kind of work is a function of (request, folder, load_market, on_progress) that gives a short summary and leaves what
is long in the folder. It raises ValueError for what cannot be done; anything else is a fault of ours.
"""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from genesis.domain.recording import RecordingError
from genesis.edge.jobs import Speaker, begin_child
from genesis.markets import load_market
from genesis.research.bars import BarRecording
from genesis.user_strategies import user_strategies

KINDS: Final[Mapping[str, str]] = {
    "model_validate": "genesis.research.model_jobs:validate_job",
    "backtest": "genesis.research.runs:job",
    "optimize": "genesis.searches:optimize_job",
    "walkforward": "genesis.searches:walkforward_job",
}
"""What a job may be, with the function that does it; its module is loaded when it is asked for."""

Load = Callable[[str, int | None, int | None, int], BarRecording]
SEARCHES: Final = frozenset({"optimize", "walkforward"})
"""Kinds whose work looks at the data by itself: (request, folder, data folder, strategies folder, on_progress)."""

Work = Callable[[Mapping[str, Any], Path, Load, Callable[[float, str], None]], dict[str, Any]]


def work_of(kind: str) -> Work:
    """Raises ValueError on a kind that nobody knows."""
    target = KINDS.get(kind)
    if target is None:
        raise ValueError(f"kind must be one of {', '.join(sorted(KINDS))}, was {kind}")
    module, name = target.split(":")
    found: Work = getattr(importlib.import_module(module), name)
    return found


def main() -> None:
    """Read what to do, do it, say how it went."""
    said = begin_child()
    speaker = Speaker()
    data_folder = Path(said["data_folder"])
    own = user_strategies(Path(said["strategies_folder"])) if said.get("strategies_folder") else None
    try:
        work: Callable[..., dict[str, Any]] = work_of(said["kind"])
        folder = Path(said["folder"])
        if said["kind"] in SEARCHES:
            strategies = Path(said.get("strategies_folder") or folder)
            summary = work(said["request"], folder, data_folder, strategies, speaker.progress)
        else:
            summary = work(said["request"], folder, _loader(data_folder), speaker.progress)
    except (ValueError, RecordingError) as error:
        speaker.error(str(error))
    except MemoryError:
        speaker.error("there is not enough memory for this")
    else:
        speaker.done(summary)
    finally:
        if own is not None:
            own.close()


def _loader(data_folder: Path) -> Load:
    return lambda name, *cut: load_market(name, data_folder, *cut)


if __name__ == "__main__":
    main()
