"""Documents are read whole or refused with their place and reason; a crash while replacing leaves one of the two."""

import contextlib
import os
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.edge import config_files
from genesis.edge.config_files import DocumentError, environment, read, read_folder, replace


def document(tmp_path: Path, data: bytes, name: str = "risk.json") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def test_fractions_are_exact_and_a_byte_order_mark_is_no_matter(tmp_path: Path) -> None:
    path = document(tmp_path, b'\xef\xbb\xbf{"max_daily_loss": 0.1}')
    assert read(path).content == {"max_daily_loss": Decimal("0.1")}
    assert read(path).stem == "risk"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "was empty"),
        (b" \n ", "was empty"),
        (b'{"a": 1', "must be a JSON document, was broken at line 1 column"),
        (b'{"a": 1}{', "must be a JSON document, was broken at line 1 column"),
        (b'{"a": NaN}', "must be a document of finite numbers, was one with NaN"),
        (b'{"a": -Infinity}', "must be a document of finite numbers, was one with -Infinity"),
        (b'{"a": 1, "a": 2}', "must be a document that says each name once, was saying 'a' twice"),
        (b"\xff\xfe{", "must be UTF-8"),
        (b"[" * 200_000, "must be a JSON document, was nested too deeply"),
        (b" " * 2_000_000, "at most 1048576 bytes"),
        (b"1" * 5000, "integer"),
    ],
)
def test_what_is_not_one_clean_document_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(DocumentError, match=reason):
        read(document(tmp_path, data))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(DocumentError):
        config_files.decode(Path("x.json"), data)


def test_a_folder_gives_what_is_good_and_what_is_not(tmp_path: Path) -> None:
    document(tmp_path, b"{}", "b.json")
    document(tmp_path, b"{", "a.json")
    document(tmp_path, b"{", "a.json.last")
    documents, errors = read_folder(tmp_path)
    assert [each.stem for each in documents] == ["b"]
    assert [error.path.name for error in errors] == ["a.json"]
    assert read_folder(tmp_path / "absent") == ([], [])


def test_a_folder_in_the_place_of_a_document_is_told(tmp_path: Path) -> None:
    (tmp_path / "risk.json").mkdir()
    _, errors = read_folder(tmp_path)
    assert "must be readable" in str(errors[0])


def test_replacing_keeps_the_last_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "risk.json"
    replace(path, {"a": 1})
    replace(path, {"a": Decimal("0.10"), "b": "å"})
    assert read(path).content == {"a": "0.10", "b": "å"}
    assert read(tmp_path / "risk.json.last").content == {"a": 1}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["risk.json", "risk.json.last"]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_leaves_the_old_document(tmp_path: Path) -> None:
    path = tmp_path / "risk.json"
    replace(path, {"a": 1})
    # The draft's name leads to a device that is always full: O_NOFOLLOW refuses it as a full disk refuses a write.
    (tmp_path / "risk.json.new").symlink_to("/dev/full")
    with pytest.raises(DocumentError, match="must be writable"):
        replace(path, {"a": 2})
    assert read(path).content == {"a": 1}


def test_a_crash_in_the_middle_of_writing_leaves_the_old_document(tmp_path: Path) -> None:
    path = tmp_path / "risk.json"
    replace(path, {"a": 1})
    pid = os.fork()
    if pid == 0:
        (tmp_path / "risk.json.new").write_bytes(b'{"a": ')
        os._exit(0)
    os.waitpid(pid, 0)
    assert read(path).content == {"a": 1}
    replace(path, {"a": 3})
    assert read(path).content == {"a": 3}


def test_the_environment_hides_the_files_and_the_later_file_the_earlier(tmp_path: Path) -> None:
    first, second = tmp_path / "first.env", tmp_path / "second.env"
    first.write_text("A=1\nB=1\nC=1\n# a comment\nexport D='x y'\n")
    second.write_text("B=2\nC=2\nE=pa$HOME\nF\n")
    merged = environment({"C": "3"}, [first, second, tmp_path / "absent.env"])
    assert merged == {"A": "1", "B": "2", "C": "3", "D": "x y", "E": "pa$HOME"}
    assert "D" not in os.environ


def test_an_environment_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = document(tmp_path, b"A=\xff\xfe", ".env")
    with pytest.raises(DocumentError, match="UTF-8"):
        environment({}, [path])


def test_an_environment_file_that_is_a_directory_is_told(tmp_path: Path) -> None:
    """A container makes one in the place of a file that was missing: every setting in it would be its default."""
    (tmp_path / ".env").mkdir()
    with pytest.raises(DocumentError, match="must be a file, was a directory"):
        environment({}, [tmp_path / ".env"])
