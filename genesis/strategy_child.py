"""The process that a user's strategy runs in: `python -m genesis.strategy_child FILE`, spoken to over its pipes.

A question is one frame: 4 bytes of length, then MessagePack. It is about a bar, a tick or a fill, or about nothing:
then it asks what the file declares. A fault comes back as a sentence with file and line. When a step does not end, a
second thread says where it hangs and ends the process; the engine does so from outside, should this one not be able to.

Before it reads the author's file the process gives away what it does not need: it can read libraries and the folder of
strategies, and no other file, host, process or program (as far as the system lets it: `genesis.edge.confine`).
"""

import os
import site
import sys
import sysconfig
import threading
import time
import traceback
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

import genesis
import protocols
from genesis.domain.user_strategy import Bar, Declared, Said, Seen, SeenFill, SeenTick
from genesis.edge.confine import confine
from genesis.strategy_kit import Bar as KitBar
from genesis.strategy_kit import Fill as KitFill
from genesis.strategy_kit import Signal, Strategy, heard_by, hold, strategy_of
from genesis.strategy_kit import Tick as KitTick

LOOK_S: Final = 0.1
MEMORY_BYTES: Final = 4 * 1024**3
OPEN_FILES: Final = 64
PRINTED_BYTES: Final = 4_096
"""What a step may print; the rest is left out."""
MODULE: Final = "user_strategy_file"
SYSTEM_LIBRARIES: Final = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/etc/localtime",
    "/usr/share/zoneinfo", "/dev/null", "/dev/urandom",
)  # fmt: skip


class Question(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The process is ended when the author's code took `cpu_s` of the processor, or `wall_s` by the clock."""

    cpu_s: float
    wall_s: float
    about: Seen | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One of the first three; `fault` is a sentence. `took_s` is of the processor; `missing` are protections."""

    fault: str = ""
    declared: Declared | None = None
    said: Said | None = None
    took_s: float = 0.0
    missing: tuple[str, ...] = ()


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Question).decode


def place_of(error: BaseException, path: Path) -> str:
    """`file.py, line 12`: the deepest line of the author's file that led to this."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path.name}, line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{path.name}, line {lines[-1]}" if lines else path.name


def told(error: BaseException, path: Path) -> str:
    words = error.msg if isinstance(error, SyntaxError) else str(error) or "no words"
    return f"{place_of(error, path)}: {type(error).__name__}: {words[:400]}"


class Printer:
    """Where the author prints to: errors' stream, up to a limit a step."""

    def __init__(self) -> None:
        self.left = PRINTED_BYTES

    def write(self, text: str) -> int:
        if self.left > 0:
            sys.__stderr__.write(text[: self.left])  # type: ignore[union-attr]
            self.left -= len(text)
            if self.left <= 0:
                sys.__stderr__.write(" ... (a step may print no more)\n")  # type: ignore[union-attr]
        return len(text)

    def flush(self) -> None:
        sys.__stderr__.flush()  # type: ignore[union-attr]


class Host:
    """The author's class, and who watches it."""

    def __init__(self, path: Path, answers: BinaryIO, missing: tuple[str, ...] = ()) -> None:
        self.path = path
        self.printer = Printer()
        self._answers = answers
        self._missing = missing
        self._strategy: Strategy | None = None
        # (the processor's time, the clock) at which the step must have ended.
        self._until: tuple[float, float] | None = None
        self._lock = threading.Lock()
        self._parent = os.getppid()
        self._main = threading.get_ident()

    def serve(self, questions: BinaryIO) -> None:
        threading.Thread(target=self._watch, daemon=True).start()
        while True:
            head = questions.read(4)
            if len(head) < 4:
                return
            question = _decode(questions.read(int.from_bytes(head, "big")))
            self.printer.left = PRINTED_BYTES
            began = time.process_time()
            self._until = (began + question.cpu_s, time.monotonic() + question.wall_s)
            try:
                answer = self._answer(question)
            except BaseException as error:
                answer = Answer(fault=told(error, self.path))
            self._until = None
            self._say(msgspec.structs.replace(answer, took_s=time.process_time() - began))

    def _say(self, answer: Answer) -> None:
        with self._lock:
            body = _encode(answer)
            self._answers.write(len(body).to_bytes(4, "big") + body)
            self._answers.flush()

    def _answer(self, question: Question) -> Answer:
        if self._strategy is None:
            self._strategy = self._load()
        if question.about is None:
            return Answer(declared=_declared(self._strategy), missing=self._missing)
        return Answer(said=_step(self._strategy, question.about))

    def _load(self) -> Strategy:
        module = types.ModuleType(MODULE)
        module.__file__ = str(self.path)
        sys.modules[MODULE] = module
        code = compile(self.path.read_bytes(), str(self.path), "exec")
        exec(code, vars(module))  # noqa: S102 - this process is there for nothing else
        return strategy_of(module)()

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_S)
            until = self._until
            if until is not None and (time.process_time() > until[0] or time.monotonic() > until[1]):
                frame = sys._current_frames().get(self._main)
                lines = [line for one, line in traceback.walk_stack(frame) if one.f_code.co_filename == str(self.path)]
                where = f"{self.path.name}, line {lines[0]}" if lines else self.path.name
                # Only if the step did not end meanwhile.
                if self._until == until:
                    self._say(Answer(fault=f"{where}: must answer within its time, was still at work"))
                    os._exit(3)
            if os.getppid() != self._parent:
                os._exit(0)


def _declared(strategy: Strategy) -> Declared:
    kind = type(strategy)
    parameters, indicators, memory = kind.parameters, kind.indicators, kind.memory
    declared = {
        "text": next(iter((kind.__doc__ or "").strip().splitlines()), "")[:200],
        "parameters": msgspec.to_builtins(list(parameters)),
        "indicators": [msgspec.to_builtins(each.declared(name)) for name, each in dict(indicators).items()],
        "memory": dict(memory),
        "hears": list(heard_by(kind)),
    }
    # Through plain values: what is not of the right type is told with its place.
    return msgspec.convert(declared, Declared, strict=True)


def _step(strategy: Strategy, about: Seen) -> Said:
    fields: dict[str, Any] = {name: getattr(about, name) for name in about.__struct_fields__ if name != "memory"}
    memory = dict(about.memory)
    unknown = sum(value != value for value in about.values.values())
    ready = not unknown or strategy.from_the_first_candle
    signal: Signal | None
    match about:
        case SeenFill():
            name, signal = "on_fill", strategy.on_fill(KitFill(**fields), memory)
        case _ if not ready:
            name, signal = "", hold(f"{unknown} of {len(about.values)} indicators are not known yet")
        case SeenTick():
            name, signal = "on_tick", strategy.on_tick(KitTick(**fields), memory)
        case Bar():
            name, signal = "on_candle", strategy.on_candle(KitBar(**fields), memory)
    if signal is None:
        signal = hold()
    if not isinstance(signal, Signal):
        raise TypeError(f"{name} must return buy(...), sell(...), hold(...) or None, was {type(signal).__name__}")
    return Said(
        code=signal.code,
        confidence=_number(signal.confidence, "confidence"),
        probability=_number(signal.probability, "probability"),
        features={str(name): _number(value, f"feature {name}") for name, value in signal.features.items()},
        reasons=[str(signal.reason)] if signal.reason else [],
        memory={str(name): _number(value, f"memory {name}") for name, value in memory.items()},
    )


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        # numpy's numbers are not Python's, but say so of themselves.
        convert = getattr(value, "__float__", None)
        if convert is None:
            raise TypeError(f"{what} must be a number, was {type(value).__name__}")
    return float(value)  # type: ignore[arg-type]


def readable(path: Path) -> Iterator[Path]:
    """What an author's file may need: its own folder, and where modules are. Never a folder that holds the user's."""
    yield path.parent
    for package in (genesis, protocols):
        yield from map(Path, package.__path__)
    named = (*sys.path, *sysconfig.get_paths().values(), *site.getsitepackages(), *SYSTEM_LIBRARIES)
    for name in dict.fromkeys(named):
        # A package that is worked on stands in a folder beside keys and journals.
        if name and not path.is_relative_to(Path(name).resolve()):
            yield Path(name)


def main(arguments: list[str]) -> int:
    path = Path(arguments[1]).resolve()
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    # What the author prints goes where errors go; the pipe belongs to the conversation.
    os.dup2(2, 1)
    missing = confine(readable=readable(path), memory_bytes=MEMORY_BYTES, open_files=OPEN_FILES)
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(path.parent))
    host = Host(path, answers, missing)
    sys.stdout = sys.stderr = host.printer
    host.serve(sys.stdin.buffer)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
