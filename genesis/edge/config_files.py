"""Reads and replaces the JSON documents of the configuration folder, and reads the environment with its .env file.

What the documents mean is not known here. A document that cannot be used is told by name, place and reason, never
half read.
"""

import io
import json
import os
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import attrs
import dotenv

LARGEST_DOCUMENT_BYTES: Final = 1_048_576


class DocumentError(Exception):
    """A document cannot be used; `path` is its file, `must_be` and `was` say why."""

    def __init__(self, path: Path, must_be: str, was: str) -> None:
        super().__init__(f"{path}: must be {must_be}, was {was}")
        self.path = path
        self.must_be = must_be
        self.was = was


class _Unclean(ValueError):
    """What JSON would let pass; its arguments are what must be and what was."""


@attrs.frozen(kw_only=True)
class Document:
    """One decoded file. Fractions are Decimal, so nothing is rounded on the way in."""

    path: Path
    content: Any

    @property
    def stem(self) -> str:
        return self.path.stem


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # json keeps the last of two equal names without a word; the reader of the file may have edited the first.
    seen: dict[str, Any] = {}
    for name, value in pairs:
        if name in seen:
            raise _Unclean("a document that says each name once", f"saying {name!r} twice")
        seen[name] = value
    return seen


def _no_constant(name: str) -> Any:
    raise _Unclean("a document of finite numbers", f"one with {name}")


def decode(path: Path, data: bytes) -> Any:
    """The document's content. Raises DocumentError on anything that is not one clean JSON document."""
    if len(data) > LARGEST_DOCUMENT_BYTES:
        raise DocumentError(path, f"at most {LARGEST_DOCUMENT_BYTES} bytes", f"{len(data)}")
    if not data.strip():
        raise DocumentError(path, "a JSON document", "empty")
    try:
        text = data.decode("utf-8-sig")
        return json.loads(text, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except json.JSONDecodeError as error:
        raise DocumentError(
            path, "a JSON document", f"broken at line {error.lineno} column {error.colno}: {error.msg}"
        ) from None
    except RecursionError:
        raise DocumentError(path, "a JSON document", "nested too deeply") from None
    except UnicodeDecodeError:
        raise DocumentError(path, "UTF-8 text", "not") from None
    except _Unclean as error:
        raise DocumentError(path, *error.args) from None
    except ValueError as error:
        raise DocumentError(path, "a JSON document", str(error)) from None


def read(path: Path) -> Document:
    """Raises DocumentError when the file cannot be read or used."""
    try:
        if path.stat().st_size > LARGEST_DOCUMENT_BYTES:
            raise DocumentError(path, f"at most {LARGEST_DOCUMENT_BYTES} bytes", f"{path.stat().st_size}")
        data = path.read_bytes()
    except OSError as error:
        raise DocumentError(path, "readable", f"not: {error.strerror}") from None
    return Document(path=path, content=decode(path, data))


def read_folder(folder: Path) -> tuple[list[Document], list[DocumentError]]:
    """Every *.json of the folder in the order of names, and every one that cannot be used. No folder, no documents."""
    documents: list[Document] = []
    errors: list[DocumentError] = []
    for path in sorted(folder.glob("*.json")):
        try:
            documents.append(read(path))
        except DocumentError as error:
            errors.append(error)
    return documents, errors


def replace(path: Path, content: Any, *, mode: int = 0o600) -> None:
    """Write the document as a whole: after a crash there is the old one or the new one. The old one is kept as .last.

    Raises DocumentError when it cannot be written; the old one then is as it was.
    """
    data = json.dumps(content, indent=2, ensure_ascii=False, default=_number).encode() + b"\n"
    draft = path.with_name(path.name + ".new")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        if path.exists():
            last = path.with_name(path.name + ".last")
            last.unlink(missing_ok=True)
            os.link(path, last)
        draft.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise DocumentError(path, "writable", f"not: {error.strerror}") from None


def _number(value: object) -> object:
    if isinstance(value, Decimal):
        # JSON of json.dumps has no exact numbers; text is read back as one.
        return str(value)
    raise TypeError(f"must be a JSON value, was {type(value).__name__}")


def _sync_folder(folder: Path) -> None:
    # The new name is durable only when its folder is.
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def environment(given: Mapping[str, str], dotenv_files: Iterable[Path]) -> dict[str, str]:
    """The given environment laid over the .env files, of which a later one hides an earlier one.

    Nothing is put into the process's own environment, where every child process would see it.
    """
    merged: dict[str, str] = {}
    for path in dotenv_files:
        if path.is_dir():
            # A container's engine makes one where the file that it should show was missing.
            raise DocumentError(path, "a file", "a directory")
        if path.is_file():
            try:
                text = path.read_text(encoding="utf-8")
            except OSError as error:
                raise DocumentError(path, "readable", f"not: {error.strerror}") from None
            except UnicodeDecodeError:
                raise DocumentError(path, "UTF-8 text", "not") from None
            # Values are taken as they are: a secret may hold a dollar sign.
            pairs = dotenv.dotenv_values(stream=io.StringIO(text), interpolate=False)
            merged |= {name: value for name, value in pairs.items() if value is not None}
    return merged | dict(given)
