"""The name of the code is its words: another word is another name, another place is not."""

import shutil
from pathlib import Path

from genesis.edge.code_name import NAME_LENGTH, code_name, name_of


def test_a_name_is_of_words_and_not_of_places(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    (first / "rules").mkdir(parents=True)
    (first / "rules" / "one.py").write_text("LIMIT = 1\n")
    (first / "notes.txt").write_text("not read")
    shutil.copytree(first, second)
    assert name_of(first) == name_of(second)
    (second / "rules" / "one.py").write_text("LIMIT = 2\n")
    assert name_of(first) != name_of(second)
    (first / "rules" / "one.py").rename(first / "one.py")
    assert name_of(first) not in (name_of(second), name_of(tmp_path / "nowhere"))


def test_this_code_has_a_name() -> None:
    assert len(code_name()) == NAME_LENGTH
    assert code_name() != name_of()
