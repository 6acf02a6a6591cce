"""Recording files: bytes from disk to lines of text, with one plain error for everything a disk can do wrong."""

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from pathlib import Path


class RecordingUnreadable(Exception):
    """A file is missing, not what it says, or damaged. The text names the file and what must be."""


def read_bytes(path: Path) -> bytes:
    """A whole file. Raises RecordingUnreadable."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecordingUnreadable(f"{path} must be a readable file, was not: {error.strerror}") from None


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def text_lines(path: Path, data: bytes) -> Iterator[str]:
    """The lines of a text, unpacked if its name ends in .gz. Raises RecordingUnreadable, possibly midway."""
    try:
        packed = io.BytesIO(data)
        yield from io.TextIOWrapper(gzip.GzipFile(fileobj=packed) if path.suffix == ".gz" else packed, encoding="utf-8")
    except (OSError, EOFError, zlib.error) as error:
        raise RecordingUnreadable(f"{path} must be gzip, was not, or is damaged: {error}") from None
    except UnicodeDecodeError:
        raise RecordingUnreadable(f"{path} must be UTF-8 text, was not") from None
