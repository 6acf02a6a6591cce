"""The user's strategies: a folder of files, each in a process of its own, as kinds that settings may name."""

import contextlib
import hashlib
import os
import re
import stat
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterable, Set
from pathlib import Path
from typing import Final

import attrs
import msgspec

from genesis.domain.probability import ModelError, read_model
from genesis.domain.strategies import STRATEGY_KINDS, StrategyShelf
from genesis.domain.strategies.probability_gated import NAME as GATED
from genesis.domain.strategies.probability_gated import gated_kind
from genesis.domain.strategy import StrategyFault, StrategyKind
from genesis.domain.user_strategy import Declared, Said, Seen, user_kind
from genesis.edge.child import Child, ChildError, ChildGone, ChildSilent
from genesis.strategy_child import Answer, Question

FILE_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
FILE_BYTES: Final = 1_000_000
MAX_FILES: Final = 100
TELLS_S: Final = 1.0
"""Beyond its time a process gets this long to tell where it hangs, before it is ended from outside."""
STARTS_S: Final = 16.0
"""And this long where it has to start first."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Answer).decode
_KEPT: Final = ("PYTHONPATH", "LANG", "LC_ALL", "SYSTEMROOT")


@attrs.frozen(kw_only=True)
class Budget:
    """What a step may take of the processor: a busy machine must not switch anybody's strategy off.

    Beyond `warn_s` it is slow; `slow_steps` of them in a row end it, or one beyond `end_s`. Reading a file may take
    `load_s`. By the clock a step may take `wall_s`, whatever it waits for, and reading a file four times that.
    """

    warn_s: float = 0.05
    slow_steps: int = 20
    end_s: float = 2.0
    load_s: float = 15.0
    wall_s: float = 10.0


def _environment() -> dict[str, str]:
    """Next to nothing: the author's code has no use for keys. The same seed for hashes each time, so that the order of
    a set is the same in every process; one thread for numbers, so that a step's time is its own."""
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | threads | {"PYTHONHASHSEED": "0"}


@attrs.define(eq=False)
class UserFile:
    """One strategy file: what it declares, and the process that runs it."""

    path: Path
    digest: str
    budget: Budget
    on_slow: Callable[[str], None]
    folder: Path
    """Where its process works: an empty one."""
    missing: tuple[str, ...] = ()
    """Protections that its process could not have, in words."""
    kind: StrategyKind = attrs.field(init=False)
    _child: Child = attrs.field(init=False)
    _slow: int = 0
    _warned: bool = False

    def __attrs_post_init__(self) -> None:
        self._child = Child(
            (sys.executable, "-P", "-m", "genesis.strategy_child", str(self.path.resolve())),
            folder=self.folder,
            environment=_environment(),
        )
        self.kind = self._describe()
        # What is not used needs no process; the first step starts one.
        self._child.close()

    def close(self) -> None:
        self._child.close()

    def _describe(self) -> StrategyKind:
        name = self.path.stem
        if FILE_NAME.fullmatch(name) is None:
            text = f"{self.path.name}: must be named by 1 to 32 of a-z, 0-9 and _, a letter first"
            return StrategyKind.broken(name, text)
        if name in STRATEGY_KINDS.shipped or name == GATED:
            return StrategyKind.broken(name, f"{self.path.name}: must differ from the shipped strategies, was not")
        try:
            answer = self._ask(self._reading)
            declared, self.missing = answer.declared, answer.missing
            assert isinstance(declared, Declared)
            return user_kind(name, int(self.digest[:8], 16), self.path.name, declared, self._decide)
        except StrategyFault as fault:
            return StrategyKind.broken(name, str(fault))
        except ValueError as error:
            return StrategyKind.broken(name, f"{self.path.name}: {error}")

    @property
    def _reading(self) -> Question:
        return Question(cpu_s=self.budget.load_s, wall_s=4 * self.budget.wall_s)

    def _decide(self, seen: Seen) -> Said:
        if not self._child.running:
            # Reading the file is no part of the first step, and has its own budget.
            self._ask(self._reading)
        answer = self._ask(Question(cpu_s=self.budget.end_s, wall_s=self.budget.wall_s, about=seen))
        self._judge(answer.took_s)
        assert isinstance(answer.said, Said)
        return answer.said

    def _judge(self, took_s: float) -> None:
        if took_s <= self.budget.warn_s:
            self._slow, self._warned = 0, False
            return
        self._slow += 1
        took = f"{took_s * 1000:.0f} ms, the budget is {self.budget.warn_s * 1000:.0f} ms"
        if self._slow >= self.budget.slow_steps:
            self._slow, self._warned = 0, False
            text = (
                f"{self.path.name}: must keep to its budget, {self.budget.slow_steps} steps in a row did not ({took})"
            )
            raise StrategyFault(text)
        # A step may be slow for once: three are told, once a streak.
        if self._slow >= 3 and not self._warned:
            self._warned = True
            self.on_slow(f"{self.path.name}: {self._slow} steps in a row took too long ({took})")

    def _ask(self, question: Question) -> Answer:
        patience = question.wall_s + (TELLS_S if self._child.running else STARTS_S)
        try:
            answer = _decode(self._child.ask(_encode(question), within_s=patience))
        except ChildSilent:
            text = f"{self.path.name}: must answer within {question.wall_s:g} s, was silent; its process was ended"
            raise StrategyFault(text) from None
        except ChildGone as error:
            raise StrategyFault(f"{self.path.name}: its process was lost: {error}") from None
        except (ChildError, msgspec.MsgspecError) as error:
            raise StrategyFault(f"{self.path.name}: its process gave no answer: {error}") from None
        if answer.fault:
            raise StrategyFault(answer.fault)
        return answer


class UserStrategies:
    """The folder as it is now. `refresh` looks at it, and gives what changed in sentences.

    It reads files and starts processes, so it blocks: inside the engine it is called in a thread.
    """

    def __init__(
        self,
        folder: Path,
        *,
        shelf: StrategyShelf = STRATEGY_KINDS,
        budget: Budget = Budget(),
        on_slow: Callable[[str], None] = lambda _: None,
        model: Path | None = None,
    ) -> None:
        self.folder = folder
        self._model_path = model
        self._model_digest: str | None = None
        self._model_kind: StrategyKind | None = None
        self.on_slow = on_slow
        self._shelf, self._budget = shelf, budget
        self._files: dict[str, UserFile] = {}
        self._gone: dict[str, StrategyKind] = {}
        self._unread: dict[str, StrategyKind] = {}
        """Files that are there and cannot be read."""
        self._folder_fault = ""
        self._untold: list[tuple[str, str]] = []
        """What was found wrong while nobody could be told yet: the next `refresh` has it."""
        self._expected: frozenset[str] = frozenset()
        self._nowhere: Path | None = None
        self._missing: tuple[str, ...] = ()
        self._retired: list[UserFile] = []
        """Replaced, but perhaps in the middle of a step: their processes end at the next look."""

    @property
    def kinds(self) -> dict[str, StrategyKind]:
        gated = {} if self._model_kind is None else {self._model_kind.name: self._model_kind}
        return self._gone | self._unread | {name: file.kind for name, file in self._files.items()} | gated

    @property
    def folder_fault(self) -> str:
        """Why the folder as a whole is not, or not all, read; empty when it is."""
        return self._folder_fault

    @property
    def shelf(self) -> StrategyShelf:
        """Where its kinds stand."""
        return self._shelf

    def apart(self) -> "UserStrategies":
        """The same folder, looked at now, with a shelf and processes of its own: nobody waits for what they do."""
        own = UserStrategies(
            self.folder,
            shelf=StrategyShelf(tuple(STRATEGY_KINDS.shipped.values())),
            budget=self._budget,
            on_slow=lambda text: self.on_slow(f"shadow: {text}"),
            model=self._model_path,
        )
        own.expect(self._expected)
        own.look()
        return own

    def expect(self, names: Iterable[str]) -> None:
        """Strategies that ran here before: one whose file is not there is known and off, from the next look on."""
        self._expected |= {name for name in names if FILE_NAME.fullmatch(name)}

    def look(self) -> None:
        """As `refresh`, where there is nobody to tell yet: what is wrong is told by the next one."""
        self._untold += [(level, text) for level, text in self._look() if level != "info"]

    def refresh(self) -> tuple[tuple[str, str], ...]:
        """(level, sentence) of every change since the last look; the shelf then has the new kinds."""
        told, self._untold = [*self._untold, *self._look()], []
        return tuple(told)

    def _look(self) -> list[tuple[str, str]]:
        while self._retired:
            self._retired.pop().close()
        found, unread, fault = self._read()
        told: list[tuple[str, str]] = []
        if fault and fault != self._folder_fault:
            told.append(("alarm", fault))
        self._folder_fault = fault
        told += self._take_unread(unread, found.keys())
        for name in self._files.keys() - found.keys() - unread.keys():
            self._retired.append(self._files.pop(name))
            self._gone[name] = self._lost(name)
            told.append(("warning", f"strategy file {name}.py is gone: what uses it is off"))
        known = found.keys() | unread.keys() | self._gone.keys() | self._shelf.shipped.keys() | {GATED}
        for name in sorted(self._expected - known):
            self._gone[name] = self._lost(name)
            # No alarm: each strategy that uses it tells so itself, and it matters to nobody else.
            told.append(("info", f"strategy file cannot be used: {self._gone[name].fault}"))
        for name, (path, digest) in found.items():
            old = self._files.get(name)
            if old is not None and old.digest == digest:
                continue
            if old is not None:
                self._retired.append(old)
            if self._nowhere is None:
                self._nowhere = Path(tempfile.mkdtemp(prefix="genesis-strategies-"))
                self._nowhere.chmod(0o500)
                weakref.finalize(self, _remove_folder, self._nowhere)
            file = self._files[name] = UserFile(
                path, digest, self._budget, lambda text: self.on_slow(text), self._nowhere
            )
            if file.missing and file.missing != self._missing:
                self._missing = file.missing
                told.append(
                    ("warning", f"processes of strategies are less confined than meant: {'; '.join(file.missing)}")
                )
            self._gone.pop(name, None)
            if file.kind.fault:
                told.append(("alarm", f"strategy file cannot be used: {file.kind.fault}"))
            else:
                told.append(("info", f"strategy {name} was {'read' if old is None else 'read again'}"))
        told += self._look_at_model()
        if told or self._model_kind is not self._shelf.users.get(GATED):
            # A broken one with the name of a shipped strategy must not hide it.
            self._shelf.take_up({name: kind for name, kind in self.kinds.items() if name not in self._shelf.shipped})
        return told

    def _take_unread(self, unread: dict[str, str], found: Set[str]) -> list[tuple[str, str]]:
        """Files that are there and cannot be opened are known, and off: in silence, nobody would look for them."""
        before, self._unread = self._unread, {name: StrategyKind.broken(name, why) for name, why in unread.items()}
        for name in unread:
            self._gone.pop(name, None)
            if name in self._files:
                self._retired.append(self._files.pop(name))
        told = [
            ("alarm", f"strategy file cannot be used: {why}")
            for name, why in unread.items()
            if name not in before or before[name].fault != why
        ]
        for name in before.keys() - unread.keys() - found:
            self._gone[name] = self._lost(name)
            told.append(("warning", f"strategy file {name}.py is gone: what uses it is off"))
        return told

    def _lost(self, name: str) -> StrategyKind:
        return StrategyKind.broken(name, f"{name}.py: must be in {self.folder}, is gone")

    def _look_at_model(self) -> list[tuple[str, str]]:
        """The strategy that is gated by the model, as its file is now."""
        path = self._model_path
        if path is None:
            return []
        try:
            data = path.read_bytes()
        except OSError:
            data = b""
        digest = hashlib.sha256(data).hexdigest() if data else ""
        if digest == self._model_digest:
            return []
        first, self._model_digest = self._model_digest is None, digest
        if not data:
            text = f"{path} must be there, is not: `genesis model train` makes it"
            self._model_kind = StrategyKind.broken(GATED, text)
            return [] if first else [("warning", f"the model is gone: {text}")]
        try:
            model = read_model(data, source=path.name)
            self._model_kind = gated_kind(model, int(digest[:8], 16))
        except ModelError as error:
            self._model_kind = StrategyKind.broken(GATED, str(error))
            return [("alarm", f"the model cannot be used: {error}")]
        return [("info", f"model {model.name} of {model.symbol} {model.timeframe} was read")]

    def _read(self) -> tuple[dict[str, tuple[Path, str]], dict[str, str], str]:
        """Each file with its digest, why the others cannot be read, and what is wrong with the folder."""
        found: dict[str, tuple[Path, str]] = {}
        unread: dict[str, str] = {}
        try:
            names = sorted(name for name in os.listdir(self.folder) if name.endswith(".py"))
        except FileNotFoundError:
            return found, unread, ""
        except OSError as error:
            return found, unread, f"the folder of strategies cannot be read: {self.folder}: {error.strerror}"
        names = [name for name in names if not name.startswith(("_", "."))]
        for name in names[:MAX_FILES]:
            path = self.folder / name
            try:
                if not stat.S_ISREG(path.stat().st_mode):
                    # A pipe would never end.
                    unread[path.stem] = f"{name}: must be a file, was something else (a folder, a pipe)"
                    continue
                found[path.stem] = (path, hashlib.sha256(path.read_bytes()[:FILE_BYTES]).hexdigest())
            except FileNotFoundError:
                # No link, or one that has gone by now as well: what vanishes between two looks is gone at the next.
                with contextlib.suppress(OSError):
                    unread[path.stem] = f"{name}: must lead to a file, leads to nothing ({os.readlink(path)})"
            except OSError as error:
                unread[path.stem] = f"{name}: must be readable, was not: {error.strerror}"
        left_out = names[MAX_FILES:]
        fault = ""
        if left_out:
            had = f"has {len(names)}: {left_out[0]} and what comes after it are not read"
            fault = f"the folder of strategies may have {MAX_FILES} files, {had}"
        return found, unread, fault

    def close(self) -> None:
        """End every process, and take the kinds off the shelf."""
        for file in (*self._files.values(), *self._retired):
            file.close()
        self._files.clear()
        self._retired.clear()
        self._gone.clear()
        self._unread.clear()
        self._untold.clear()
        self._model_digest, self._model_kind = None, None
        if self._nowhere is not None:
            _remove_folder(self._nowhere)
            self._nowhere = None
        self._shelf.take_up({})


def _remove_folder(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.rmdir()


def model_path(folder: Path) -> Path:
    """The model that trades, beside the folder of strategies; `genesis model train` writes it."""
    return folder.parent / "models" / "probability.json"


_OPEN: Final[dict[Path, UserStrategies]] = {}


def user_strategies(folder: Path, *, ran: Iterable[str] = ()) -> UserStrategies:
    """The process's one view of a user directory's strategies and of its model, looked at now. Of `ran` a journal
    tells: what is not there any more is off, and keeps nobody from starting."""
    found = _OPEN.get(folder)
    if found is None:
        found = _OPEN[folder] = UserStrategies(folder, model=model_path(folder))
    found.expect(ran)
    found.look()
    return found
