"""Log lines: JSON into a file that turns over, readable ones on the terminal, and no secret in either.

A line is an event name with named values, bound once per actor. Tracebacks carry no local variables: those are where
keys would be. Values are masked by their name and by being a known secret, first in the values and once more in the
finished text, so that a secret inside a foreign library's message is caught too.
"""

import contextlib
import json
import logging
import logging.handlers
import os
import re
import sys
import threading
import traceback
from collections import deque
from collections.abc import Iterable, Iterator, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TextIO
from urllib.parse import quote, urlsplit

import structlog

from genesis.edge.teller import Teller

MASK: Final = "***"
SECRET_NAME: Final = re.compile(
    r"secret|token|passw|api_?key|authorization|signature|auth_?sig|cookie|jwt|ticket|bearer|private_?key",
    re.IGNORECASE,
)
SHORTEST_SECRET: Final = 8
"""Shorter values would mask ordinary words all over the lines."""

DEEPEST: Final = 8

_PRINTABLE: Final = "".join(map(chr, range(0x21, 0x7F)))
_SAFE_IN_QUERY: Final = "".join(set(_PRINTABLE) - set('"#<>'))
_SAFE_IN_PATH: Final = "".join(set(_SAFE_IN_QUERY) - set("?`{}"))
"""What addresses leave as it is, after the URL Standard: libraries write them so, and Python's `quote` does not."""

_learners: list["Redactor"] = []
"""The redactor of this process's logging: structlog and logging are process-wide, and so is what they must not tell."""


RECENT_LINES: Final = 1000
_recent: deque[str] = deque(maxlen=RECENT_LINES)


def recent() -> tuple[str, ...]:
    """The newest lines of this process as JSON, oldest first, as masked as those of the file."""
    return tuple(_recent)


def conceal(secret: str) -> None:
    """Mask this value in every line from now on: a secret that was learnt after logging was set up."""
    for redactor in _learners:
        redactor.add(secret)


def _parts(secret: str) -> Iterator[str]:
    yield secret
    if "://" not in secret:
        return
    with contextlib.suppress(ValueError):
        parts = urlsplit(secret)
        yield parts.password or ""
        yield f"{parts.path}?{parts.query}" if parts.query else parts.path
        yield parts.query


class Redactor:
    """Masks secrets: values under a telling name, and known secret values wherever they stand."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: list[str] = []
        for secret in secrets:
            self.add(secret)

    def __repr__(self) -> str:
        return f"<redactor of {len(self._known)} values>"

    def add(self, secret: str) -> None:
        """Mask this value from now on, as it is and as JSON, Python and an address write it; of an address with a
        password or a telling path, also these alone: an error of a connection names what it asked for, and not where.
        """
        forms = {
            written
            for part in _parts(secret)
            if len(part) >= SHORTEST_SECRET
            for form in (part, *(quote(part, safe=safe) for safe in ("", "/", _SAFE_IN_PATH, _SAFE_IN_QUERY)))
            for written in (form, json.dumps(form)[1:-1], repr(form)[1:-1])
        }
        # Longest first: a secret may begin with another one.
        self._known = sorted({*self._known, *forms}, key=len, reverse=True)

    def text(self, text: str) -> str:
        for secret in self._known:
            if secret in text:
                text = text.replace(secret, MASK)
        return text

    def value(self, value: Any, depth: int = 0) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if depth > DEEPEST:
            return MASK
        if isinstance(value, MutableMapping):
            return {key: self.named(str(key), each, depth + 1) for key, each in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(each, depth + 1) for each in value]
        return value

    def named(self, name: str, value: Any, depth: int = 0) -> Any:
        if SECRET_NAME.search(name) and value is not None and not isinstance(value, bool | int | float):
            return MASK
        return self.value(value, depth)

    def __call__(self, _: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """As a structlog processor."""
        return {
            key: each if key.startswith("_") or key == "exc_info" else self.named(key, each)
            for key, each in event.items()
        }


class _Recent(logging.Handler):
    """Keeps what was said, for those who look at the page and not at the disk."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            _recent.append(self.format(record))
        except Exception:
            self.handleError(record)


class _Told(logging.Handler):
    """Shows lines by a teller, which keeps nobody waiting."""

    def __init__(self, teller: Teller) -> None:
        super().__init__()
        self._teller = teller

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._teller.say(self.format(record) + "\n")
        except Exception:
            self.handleError(record)


class _PrivateFile(logging.handlers.RotatingFileHandler):
    """A turning file that only its owner can read."""

    _failed = False

    def _open(self) -> Any:
        handle = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return os.fdopen(handle, "a", encoding="utf-8")

    def emit(self, record: logging.LogRecord) -> None:
        # Moved by a logrotate of the machine's, or deleted: what is said from now on belongs to the name, not there.
        if self.stream is not None and not self._is_at_its_name(self.stream.fileno()):
            with contextlib.suppress(OSError):
                self.stream.close()
            # As the base class does it: the next line opens it anew.
            self.stream = None
        super().emit(record)

    def _is_at_its_name(self, number: int) -> bool:
        try:
            found, ours = os.stat(self.baseFilename), os.fstat(number)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return (found.st_dev, found.st_ino) == (ours.st_dev, ours.st_ino)

    def close(self) -> None:
        # The disk may be full: what was not written then is lost, and that was told.
        with contextlib.suppress(OSError):
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk is told once: a traceback for each line would bury what the terminal still shows."""
        if not self._failed:
            self._failed = True
            error = sys.exc_info()[1]
            sys.stderr.write(f"genesis: {self.baseFilename} takes no more lines: {error}\n")


class _Masked(logging.Formatter):
    """The finished line, masked once more."""

    def __init__(self, inner: logging.Formatter, redactor: Redactor) -> None:
        super().__init__()
        self._inner = inner
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        return self._redactor.text(self._inner.format(record))


def _traceback_text(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return structlog.processors.format_exc_info(None, "", event) if event.get("exc_info") else event


def configure(
    *,
    level: str = "info",
    file: Path | None = None,
    file_max_bytes: int = 20_000_000,
    files_kept: int = 5,
    console: TextIO | Teller | None = None,
    console_json: bool = False,
    redactor: Redactor | None = None,
) -> Redactor:
    """Set logging up for this process. Without `file` nothing is kept, without `console` nothing is shown.

    A stream as `console` keeps whoever logs waiting when it takes no more; a teller does not.
    Calling it again replaces what was set up before. Gives the redactor, for secrets that are learnt later.
    """
    redactor = redactor or Redactor()
    _learners[:] = [redactor]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    as_json: list[Any] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
        redactor,
        structlog.processors.JSONRenderer(default=str, sort_keys=False),
    ]
    as_text: list[Any] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        _traceback_text,
        redactor,
        structlog.dev.ConsoleRenderer(colors=console is not None and console.isatty()),
    ]
    root = logging.getLogger()
    for old in list(root.handlers):
        if getattr(old, "_genesis", False):
            root.removeHandler(old)
            old.close()
    handlers: list[logging.Handler] = []
    if file is not None:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = _PrivateFile(file, maxBytes=file_max_bytes, backupCount=files_kept, encoding="utf-8", delay=True)
        kept.setFormatter(_formatter(shared, as_json, redactor))
        handlers.append(kept)
    if console is not None:
        shown = _Told(console) if isinstance(console, Teller) else logging.StreamHandler(console)
        shown.setFormatter(_formatter(shared, as_json if console_json else as_text, redactor))
        handlers.append(shown)
    kept_in_memory = _Recent()
    kept_in_memory.setFormatter(_formatter(shared, as_json, redactor))
    handlers.append(kept_in_memory)
    for handler in handlers:
        handler._genesis = True  # type: ignore[attr-defined]
        root.addHandler(handler)
    root.setLevel(level.upper())
    # These tell each request and each frame at info; a trader's log would be nothing else.
    for chatty in ("httpx", "httpcore", "hypercorn.access", "trio-websocket", "websockets"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    _mask_last_words(redactor)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    return redactor


def _mask_last_words(redactor: Redactor) -> None:
    """What nobody caught is told by Python itself, on stderr: that, too, may quote an address with a key in it."""

    def tell(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error or kind(), trace)
            return
        sys.stderr.write(redactor.text("".join(traceback.format_exception(kind, error, trace))))

    sys.excepthook = tell
    threading.excepthook = lambda told: tell(told.exc_type, told.exc_value, told.exc_traceback)
    sys.unraisablehook = lambda told: tell(told.exc_type, told.exc_value, told.exc_traceback)


def _formatter(shared: list[Any], processors: list[Any], redactor: Redactor) -> logging.Formatter:
    return _Masked(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=processors), redactor)


def terminal() -> TextIO:
    """Where people read lines: stderr, so that stdout stays a command's answer."""
    return sys.stderr
