"""What a supervisor is told about its children, and the check that it can be right before anything starts."""

import math
from collections.abc import Callable, Iterator

import attrs

from genesis.core.actor import Actor
from genesis.core.backoff import DEFAULT, Backoff
from genesis.core.errors import BadSpec
from genesis.core.mailbox import Mailbox
from genesis.core.restart import AutoShutdown, Restart, Strategy


@attrs.frozen(kw_only=True)
class ChildSpec:
    """One worker: how to make it and how long to be patient with it.

    `start` makes a new actor for each generation. It must be ready within `start_timeout_s`, show progress within
    `progress_timeout_s` while it has work (None: never watched), and end within `shutdown_s` when told to; trio cannot
    kill, so there is no shorter way. With a `hang_timeout_s` it is also found, sooner, when it holds messages and
    neither makes progress nor waits for anybody (see `hangs`). After an error of a kind in `hopeless` no further life
    is of any use: its supervisor gives up at once. `significant` children can end their supervisor, see `AutoShutdown`.
    """

    id: str
    start: Callable[[], Actor]
    mailbox: Mailbox | None = None
    restart: Restart = Restart.PERMANENT
    shutdown_s: float = 5.0
    start_timeout_s: float = 30.0
    progress_timeout_s: float | None = 20.0
    hang_timeout_s: float | None = None
    hopeless: tuple[type[BaseException], ...] = ()
    backoff: Backoff = DEFAULT
    significant: bool = False


@attrs.frozen(kw_only=True)
class SupervisorSpec:
    """A supervisor and its children, in the order of their start.

    More than `intensity` failures of any children within `period_s` make it give up, and so do more than
    `max_consecutive` failures of one child without a run of `stable_after_s` between them: a long back-off alone would
    keep the first limit from ever being reached. Nested, the crashes it takes to bring down the root multiply:
    (inner intensity + 1) * (outer intensity + 1).
    """

    id: str
    children: "tuple[ChildSpec | SupervisorSpec, ...]"
    strategy: Strategy = Strategy.ONE_FOR_ONE
    intensity: int = 1
    period_s: float = 5.0
    max_consecutive: int = 20
    stable_after_s: float = 30.0
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    restart: Restart = Restart.PERMANENT
    shutdown_s: float = math.inf
    backoff: Backoff = DEFAULT
    significant: bool = False


def mailboxes(spec: ChildSpec | SupervisorSpec) -> Iterator[Mailbox]:
    """Every mailbox at or below `spec`, in start order."""
    if isinstance(spec, ChildSpec):
        if spec.mailbox is not None:
            yield spec.mailbox
    else:
        for child in spec.children:
            yield from mailboxes(child)


def validate(spec: SupervisorSpec) -> None:
    """Raise BadSpec, naming the place, unless everything at and below `spec` can be right."""
    _check_supervisor(spec, spec.id)
    seen: dict[int, str] = {}
    for mailbox in mailboxes(spec):
        if id(mailbox) in seen:
            raise BadSpec(f"mailbox {mailbox.name} must have one actor, was given to two")
        seen[id(mailbox)] = mailbox.name


def _check_supervisor(spec: SupervisorSpec, path: str) -> None:
    _check_id(spec.id, path)
    _check_type(spec.strategy, Strategy, f"strategy of {path}")
    _check_type(spec.auto_shutdown, AutoShutdown, f"auto_shutdown of {path}")
    if isinstance(spec.intensity, bool) or not isinstance(spec.intensity, int) or spec.intensity < 0:
        raise BadSpec(f"intensity of {path} must be a whole number and at least 0, was {spec.intensity!r}")
    if not spec.period_s > 0:
        raise BadSpec(f"period_s of {path} must be above 0, was {spec.period_s!r}")
    if spec.max_consecutive < 1:
        raise BadSpec(f"max_consecutive of {path} must be at least 1, was {spec.max_consecutive!r}")
    if not spec.stable_after_s >= 0:
        raise BadSpec(f"stable_after_s of {path} must be at least 0, was {spec.stable_after_s!r}")
    names = [child.id for child in spec.children]
    for name in names:
        if names.count(name) > 1:
            raise BadSpec(f"ids below {path} must differ, was {name!r} twice")
    for child in spec.children:
        _check_child(child, spec, f"{path}/{child.id}")


def _check_child(child: ChildSpec | SupervisorSpec, parent: SupervisorSpec, path: str) -> None:
    _check_id(child.id, path)
    _check_type(child.restart, Restart, f"restart of {path}")
    if not child.shutdown_s > 0:
        raise BadSpec(f"shutdown_s of {path} must be above 0, was {child.shutdown_s!r}")
    if child.significant and parent.auto_shutdown is AutoShutdown.NEVER:
        raise BadSpec(f"auto_shutdown of {parent.id} must not be NEVER while {path} is significant")
    if child.significant and child.restart is Restart.PERMANENT:
        raise BadSpec(f"restart of {path} must be TRANSIENT or TEMPORARY to be significant, was PERMANENT")
    if isinstance(child, SupervisorSpec):
        _check_supervisor(child, path)
        return
    if not callable(child.start):
        raise BadSpec(f"start of {path} must be callable, was {child.start!r}")
    if not child.start_timeout_s > 0:
        raise BadSpec(f"start_timeout_s of {path} must be above 0, was {child.start_timeout_s!r}")
    if child.progress_timeout_s is not None and not child.progress_timeout_s > 0:
        raise BadSpec(f"progress_timeout_s of {path} must be above 0 or None, was {child.progress_timeout_s!r}")
    if child.hang_timeout_s is not None and not child.hang_timeout_s > 0:
        raise BadSpec(f"hang_timeout_s of {path} must be above 0 or None, was {child.hang_timeout_s!r}")


def _check_id(name: str, path: str) -> None:
    if not isinstance(name, str) or not name or "/" in name:
        raise BadSpec(f"id at {path} must be text without a slash, was {name!r}")


def _check_type(value: object, kind: type, what: str) -> None:
    if not isinstance(value, kind):
        raise BadSpec(f"{what} must be one of {kind.__name__}, was {value!r}")
