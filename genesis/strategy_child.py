"""The process that a user's strategy runs in: `python -m genesis.strategy_child FILE`, spoken to over its pipes.

A question is one frame: 4 bytes of length, then MessagePack. `describe` asks what the file declares, `step` for its
answer to one bar. A fault comes back as a sentence with file and line. When a step does not end, a second thread says
where it hangs and ends the process; the engine does the same from outside, should this one not be able to.
"""

import os
import sys
import threading
import time
import traceback
import types
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import msgspec

from genesis.domain.user_strategy import Bar, Declared, Said
from genesis.strategy_kit import Bar as KitBar
from genesis.strategy_kit import Signal, Strategy, hold, strategy_of

LOOK_S: Final = 0.1
MEMORY_BYTES: Final = 4 * 1024**3
MODULE: Final = "user_strategy_file"


class Question(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """`deadline_s` is how long the author's code may take before its process is ended."""

    word: Literal["describe", "step"]
    deadline_s: float
    bar: Bar | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One of the three; `fault` is a sentence."""

    fault: str = ""
    declared: Declared | None = None
    said: Said | None = None


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


class Host:
    """The author's class, and who watches it."""

    def __init__(self, path: Path, answers: BinaryIO) -> None:
        self.path = path
        self._answers = answers
        self._strategy: Strategy | None = None
        self._until: float | None = None
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
            self._until = time.monotonic() + question.deadline_s
            try:
                answer = self._answer(question)
            except BaseException as error:
                answer = Answer(fault=told(error, self.path))
            self._until = None
            self._say(answer)

    def _say(self, answer: Answer) -> None:
        with self._lock:
            body = _encode(answer)
            self._answers.write(len(body).to_bytes(4, "big") + body)
            self._answers.flush()

    def _answer(self, question: Question) -> Answer:
        if self._strategy is None:
            self._strategy = self._load()
        if question.word == "describe":
            return Answer(declared=_declared(self._strategy))
        assert question.bar is not None
        return Answer(said=_step(self._strategy, question.bar))

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
            if until is not None and time.monotonic() > until:
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
    }
    # Through plain values: what is not of the right type is told with its place.
    return msgspec.convert(declared, Declared, strict=True)


def _step(strategy: Strategy, bar: Bar) -> Said:
    fields: dict[str, Any] = {name: getattr(bar, name) for name in Bar.__struct_fields__ if name != "memory"}
    seen = KitBar(**fields)
    memory = dict(bar.memory)
    signal: Signal | None
    if seen.ready or strategy.from_the_first_candle:
        signal = strategy.on_candle(seen, memory)
    else:
        unknown = sum(value != value for value in seen.values.values())
        signal = hold(f"{unknown} of {len(seen.values)} indicators are not known yet")
    if signal is None:
        signal = hold()
    if not isinstance(signal, Signal):
        raise TypeError(f"on_candle must return buy(...), sell(...), hold(...) or None, was {type(signal).__name__}")
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


def main(arguments: list[str]) -> int:
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    # What the author prints goes where errors go; the pipe belongs to the conversation.
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    except (ImportError, ValueError, OSError):
        sys.stderr.write("genesis: memory of strategies is not limited on this system\n")
    path = Path(arguments[1])
    sys.path.insert(0, str(path.parent))
    Host(path, answers).serve(sys.stdin.buffer)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
