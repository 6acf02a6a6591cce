"""The file that says which simulated session a directory holds."""

import os
from pathlib import Path

from genesis.edge.user_dir import UserDir
from genesis.sim_session import SimSession


def test_the_note_of_a_session_is_for_its_owner_only(tmp_path: Path) -> None:
    """Also where an older version, or a draft that was cut short, left it open to all."""
    user_dir = UserDir(tmp_path)
    note = tmp_path / "sim-session.json"
    before = os.umask(0)
    try:
        for _ in range(2):
            session = SimSession.prepare(user_dir, "one", fresh=False, stamp="x")
            assert note.stat().st_mode & 0o777 == 0o600
            note.chmod(0o644)
            session.finished("one")
            assert note.stat().st_mode & 0o777 == 0o600
            note.with_name("sim-session.json.new").write_text("{")
    finally:
        os.umask(before)
