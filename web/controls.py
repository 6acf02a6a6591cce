"""What the web may ask for: one function for each command, which says yes, refuses, or is busy.

A control that is None does not exist in this engine, and its route answers 404. A control returns once the command is
in a mailbox; it raises `Busy` when that mailbox is full (503 with Retry-After), `Refused` when the engine knows that it
cannot be done, and never waits for room: a trader's browser must not queue inside the engine.
"""

from collections.abc import Awaitable, Callable

import attrs

from genesis.domain.decision_search import DecisionSearch, DecisionsFound
from genesis.domain.tax_report import TaxPort
from genesis.domain.version_trades import VersionReport, VersionTrades
from protocols.config import AuditEntry, ConfigCommand, SettingsReply, SettingsVersion
from protocols.orders import Adopt, CancelIntent, Flatten, UpdateIntent
from protocols.risk import ChangeAnswer, ChangeOrder, EvaluateOrder, ManualOrder, RiskCommand, Verdict
from web.chaos_port import ChaosPort
from web.job_ports import JobPorts
from web.market_ports import MarketPorts
from web.model_ports import ModelPorts
from web.signal_ports import SignalPorts


class ControlError(Exception):
    """A command was not taken.

    ControlError
     +-- Busy      the mailbox is full: say it again later
     +-- Refused   it cannot be done as asked: say something else
    """


class Busy(ControlError):
    def __init__(self, what: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(f"{what} cannot take more commands now")
        self.retry_after_s = retry_after_s


class Refused(ControlError):
    """`code` is a short word for programs, the text a sentence for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@attrs.frozen(kw_only=True)
class ConfigHistory:
    """What was in force and who asked for it, read from the journal in a thread of its own.

    `versions` gives at most so many below a number (None: from the newest on), newest first; `version` one of them;
    `trail` the newest lines of the audit trail, newest first; `trades` the orders and fills that a version made;
    `verify` every trace of tampering, in sentences.
    """

    versions: Callable[[int, int | None], Awaitable[tuple[SettingsVersion, ...]]]
    version: Callable[[int], Awaitable[SettingsVersion | None]]
    trail: Callable[[int], Awaitable[tuple[AuditEntry, ...]]]
    trades: Callable[[int], Awaitable[VersionTrades]]
    verify: Callable[[], Awaitable[VersionReport]]


@attrs.frozen(kw_only=True)
class Controls:
    """`order` may answer with risk's verdict, or None when that comes later. `kill_actor` exists in sim mode only.

    `update` moves the legs of a position, and `change` any other order, which risk weighs and hands on.
    `risk` says whether the switch is turned, or False while risk has not answered.
    `evaluate` asks risk without ordering anything; `settings` hands a command to the config actor, None when the answer
    takes too long; `search` looks through the journal's verdicts, `history` through its settings versions and trail.
    """

    order: Callable[[ManualOrder], Awaitable[Verdict | None]] | None = None
    cancel: Callable[[CancelIntent], Awaitable[None]] | None = None
    update: Callable[[UpdateIntent], Awaitable[None]] | None = None
    change: Callable[[ChangeOrder], Awaitable[ChangeAnswer | None]] | None = None
    flatten: Callable[[Flatten], Awaitable[None]] | None = None
    adopt: Callable[[Adopt], Awaitable[None]] | None = None
    risk: Callable[[RiskCommand], Awaitable[bool]] | None = None
    kill_actor: Callable[[str], Awaitable[bool]] | None = None
    evaluate: Callable[[EvaluateOrder], Awaitable[Verdict | None]] | None = None
    settings: Callable[[ConfigCommand], Awaitable[SettingsReply | None]] | None = None
    search: Callable[[DecisionSearch], Awaitable[DecisionsFound]] | None = None
    history: ConfigHistory | None = None
    market: MarketPorts | None = None
    chaos: ChaosPort | None = None
    signals: SignalPorts | None = None
    tax: TaxPort | None = None
    model: ModelPorts | None = None
    jobs: JobPorts | None = None
