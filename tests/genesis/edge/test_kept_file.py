"""A small file that is replaced whole, and read by its owner only."""

import os
from pathlib import Path

from genesis.edge.kept_file import KeptFile


def test_it_is_replaced_whole_with_its_last_version_beside_it(tmp_path: Path) -> None:
    file = KeptFile(tmp_path / "folder" / "one.json")
    assert file.read() is None
    file.replace(b"1")
    file.replace(b"2")
    assert (file.read(), file.last_version.read_bytes()) == (b"2", b"1")
    assert sorted(path.name for path in file.path.parent.iterdir()) == ["one.json", "one.json.last"]


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    """Whatever the process's mask is, and whatever a crash of an older version left in its place."""
    file = KeptFile(tmp_path / "one.json")
    fresh = tmp_path / "one.json.new"
    fresh.write_bytes(b"half")
    fresh.chmod(0o644)
    before = os.umask(0o000)
    try:
        file.replace(b"1")
        file.replace(b"2")
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (file.path, file.last_version)] == [0o600, 0o600]
