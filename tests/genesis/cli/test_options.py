"""Which engine a command means, where nobody says."""

import os
from pathlib import Path

from genesis.cli.options import newest_of


def test_the_newest_file_is_taken_where_no_mode_is_named(tmp_path: Path) -> None:
    def path_of(mode: str) -> Path:
        return tmp_path / f"{mode}.sqlite"

    assert newest_of(path_of) == path_of("sim"), "the usual one, where there is none"
    for moment, mode in enumerate(("sim", "live"), 1):
        path_of(mode).touch()
        os.utime(path_of(mode), (moment, moment))
    assert newest_of(path_of) == path_of("live")
    assert newest_of(path_of, "paper") == path_of("paper")
    # What is written stands beside the journal until that is folded up.
    beside = tmp_path / "sim.sqlite-wal"
    beside.touch()
    os.utime(beside, (9, 9))
    assert newest_of(path_of) == path_of("sim")
