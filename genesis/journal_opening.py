"""Opens the journal that a run stands on, and tells a person what is wrong with it or what was done to it."""

from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import structlog
import trio

from actors.config import KIND as VERSIONS
from actors.config import LOOK_BACK
from genesis.domain.account_checkpoint import ACCOUNT_KEY, ACCOUNT_TABLE, CountedOtherwise, check_currency
from genesis.domain.settings_build import Priority
from genesis.domain.settings_history import at_start, kinds_of
from genesis.edge.anchor import GENESIS_HEAD
from genesis.edge.service_manager import ServiceManager
from genesis.edge.store import Store, copy_path
from genesis.edge.store_errors import StoreCorrupt, StoreError, StoreIncomplete, StoreTooNew
from genesis.edge.store_layouts import SCHEMA_VERSION
from genesis.edge.store_thread import StoreThread
from genesis.run_options import CannotStart, ExitCode, RunOptions
from genesis.user_strategies import user_strategies
from protocols.config import SettingsVersion
from protocols.journal import ReadCells, ReadRecords

PATIENCE_S: Final = 60.0
ASKED_EVERY_S: Final = 15.0
"""A million records of an older layout take some 15 s to verify: a service manager that is told so does not end us
meanwhile."""

log = structlog.get_logger("genesis.run")


async def open_journal(path: Path, manager: ServiceManager, *, at_ms: int, expendable: bool) -> StoreThread:
    """`expendable` is a journal of play money, that one may begin anew. Raises CannotStart."""
    try:
        store = await _open(path, manager, at_ms)
    except (StoreCorrupt, StoreIncomplete) as error:
        advice = "--fresh begins a new session" if expendable else "`genesis backup restore` brings a copy back"
        raise CannotStart(f"{' '.join(str(error).split())}; {advice}") from None
    except StoreTooNew as error:
        raise CannotStart(
            f"{error}: a newer Genesis wrote it. Start that one, or restore a backup from before the upgrade"
        ) from None
    except StoreError as error:
        raise CannotStart(str(error)) from None
    if store.proven_since != GENESIS_HEAD:
        log.info("journal_proven_in_part", records=store.head().seq, later=store.proven_since.seq)
    if store.layout_before is not None:
        log.info(
            "journal_migrated",
            path=str(path),
            layout=SCHEMA_VERSION,
            was=store.layout_before,
            copy=str(copy_path(path, store.layout_before)),
        )
    return StoreThread(store)


async def check_counting(store: StoreThread, options: RunOptions, *, at_ms: int) -> None:
    """Refuse a currency other than the one that the journal counts equity and results in, before any actor meets it.

    Looks at the settings that this start will have: those of the files with the newest stored version. Raises
    CannotStart.
    """
    kept = await store.read_cells(ReadCells(table=ACCOUNT_TABLE, key=ACCOUNT_KEY))
    versions = await store.read_records(ReadRecords(kinds=(VERSIONS,), limit=LOOK_BACK, newest_first=True))
    stored = [msgspec.json.decode(each.record.payload, type=SettingsVersion) for each in versions.records]
    # One that was set while it ran, and whose file is gone, is off: the rest of what was set stands.
    ran = kinds_of(stored[:1])
    await trio.to_thread.run_sync(partial(user_strategies, options.user_dir.strategies, ran=ran))
    start = at_start(options.layers, stored, at_ms=at_ms, priority=options.priority or Priority.RUNTIME)
    try:
        check_currency(kept.cells, start.step.settings.quote_currency)
    except CountedOtherwise as error:
        raise CannotStart(str(error), ExitCode.CONFIGURATION) from None


async def _open(path: Path, manager: ServiceManager, at_ms: int) -> Store:
    # In a thread: a journal of months takes longer to verify than the event loop may stand still.
    outcome: list[Store | StoreError] = []

    def open_it() -> None:
        try:
            outcome.append(Store.open(path, at_ms=at_ms))
        except StoreError as error:
            outcome.append(error)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(_ask_for_patience, manager)
        await trio.to_thread.run_sync(open_it)
        nursery.cancel_scope.cancel()
    (opened,) = outcome
    if isinstance(opened, StoreError):
        raise opened
    return opened


async def _ask_for_patience(manager: ServiceManager) -> None:
    while True:
        manager.starting(PATIENCE_S, "verifying the journal")
        await trio.sleep(ASKED_EVERY_S)
