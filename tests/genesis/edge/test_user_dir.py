"""One directory, one engine, one owner."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from genesis.cli.main import call
from genesis.edge.user_dir import DirectoryInUse, UserDir, UserDirError
from genesis.run_options import ExitCode


def test_where_it_is(tmp_path: Path) -> None:
    assert UserDir.at(tmp_path, {"GENESIS_HOME": "/elsewhere"}).root == tmp_path
    assert UserDir.at(None, {"GENESIS_HOME": str(tmp_path / "home")}).root == tmp_path / "home"
    assert UserDir.at(None, {"GENESIS_HOME": ""}).root == Path.cwd() / "genesis_data"


def test_creating_makes_every_folder_for_its_owner_only_and_leaves_no_file(tmp_path: Path) -> None:
    user_dir = UserDir(tmp_path / "deep" / "home")
    user_dir.create()
    user_dir.create()
    assert all(folder.stat().st_mode & 0o777 == 0o700 for folder in user_dir.folders)
    assert [path for path in user_dir.root.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("words", [("status",), ("halt",), ("doctor", "--offline"), ("run", "--port", "0")])
def test_another_users_directory_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    """`genesis halt` as the wrong user said that no engine runs, and `genesis run` fell with a traceback."""
    user_dir = UserDir(tmp_path / "home")
    user_dir.create()
    # Root may look into everything, and these tests may be run by root.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != user_dir.root)
    assert call([*words, "--data-dir", str(user_dir.root)]) == ExitCode.CONFIGURATION
    whose = pwd.getpwuid(os.geteuid()).pw_name
    expected = f"genesis: {user_dir.root} must be readable, was not: it belongs to user {whose}, be that user"
    assert capsys.readouterr().err.split() == expected.split()


def test_a_file_in_its_place_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(UserDirError, match="must be a directory that can be made, was not") as caught:
        UserDir(tmp_path / "home").create()
    assert "\n" not in str(caught.value)


def test_a_directory_that_cannot_be_written_is_told() -> None:
    """/proc refuses new names to everybody, root too."""
    with pytest.raises(UserDirError, match="must be"):
        UserDir(Path("/proc/genesis")).create()


def test_secrets_that_others_can_read_are_found(tmp_path: Path) -> None:
    user_dir = UserDir(tmp_path)
    user_dir.create()
    for name, mode in (("good.json", 0o600), ("loose.json", 0o644)):
        (user_dir.secrets / name).touch()
        (user_dir.secrets / name).chmod(mode)
    assert [path.name for path in user_dir.loose_secrets()] == ["loose.json"]


def test_a_secrets_folder_that_others_can_enter_is_closed(tmp_path: Path) -> None:
    user_dir = UserDir(tmp_path)
    user_dir.create()
    user_dir.secrets.chmod(0o755)
    user_dir.create()
    assert user_dir.secrets.stat().st_mode & 0o777 == 0o700


def test_a_second_engine_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    user_dir = UserDir(tmp_path)
    held = user_dir.hold()
    try:
        with pytest.raises(DirectoryInUse, match=f"process {os.getpid()} runs on it") as caught:
            user_dir.hold()
        assert caught.value.pid == os.getpid()
    finally:
        held.release()
    user_dir.hold().release()


def test_the_hold_ends_with_its_process(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from genesis.edge.user_dir import UserDir; "
        "held = UserDir(Path(sys.argv[1])).hold(); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"held\n"
        with pytest.raises(DirectoryInUse, match=f"process {first.pid}"):
            UserDir(tmp_path).hold()
        first.kill()
        first.wait()
    UserDir(tmp_path).hold().release()
