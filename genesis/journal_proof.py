"""The older part of a long journal, proven beside the running engine by a process of its own.

A start proves the newest records and all cells, so that it takes no longer with the years. The rest is read here soon
afterwards, behind everybody else for processor and disk. Damage is an alarm, nothing is opened any more, and the next
start proves all of the journal, and refuses it.

`python -m genesis.journal_proof JOURNAL SEQ HASH PID` is that process; SEQ and HASH name the record that the newest
part continues, PID the engine, without which it ends. It ends with 0, or with 3 and what is damaged.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
import trio

from genesis.edge.anchor import GENESIS_HEAD, Head
from genesis.edge.store import ReadOnlyStore
from genesis.edge.store_errors import StoreCorrupt, StoreError
from genesis.edge.store_proof import mark_path

BEGINS_AFTER_S: Final = 60.0
"""From the start to the first look: the start itself, and the first orders, have the machine for themselves."""
AGAIN_AFTER_S: Final = 3600.0
"""After a process that could not start, or was killed."""
NICE: Final = 19
REST_S: Final = 0.02
"""Between two pages: about three times as long as one takes, so that a disk serves commits meanwhile."""
DAMAGED: Final = 3

log = structlog.get_logger("genesis.run")


async def prove_older(journal: Path, since: Head, on_damage: Callable[[str], None]) -> None:
    """Until all before `since` was read once, which may be never. `on_damage` hears what was found, once."""
    if since == GENESIS_HEAD:
        return
    wait_s = BEGINS_AFTER_S
    while True:
        await trio.sleep(wait_s)
        began = trio.current_time()
        code, said = await _ask(journal, since)
        took_s = round(trio.current_time() - began, 1)
        if code == 0:
            log.info("journal_proven", records=since.seq, took_s=took_s)
            return
        if code == DAMAGED:
            await trio.to_thread.run_sync(_mark, journal, said)
            on_damage(said)
            return
        log.warning("journal_not_proven", text=said or f"its process ended with code {code}", again_in_s=AGAIN_AFTER_S)
        wait_s = AGAIN_AFTER_S


async def _ask(journal: Path, since: Head) -> tuple[int, str]:
    # -P: a signal.py in the folder that we were started in is somebody else's.
    words = (sys.executable, "-P", "-m", "genesis.journal_proof", str(journal), str(since.seq), since.hash.hex())
    try:
        done = await trio.run_process(
            (*words, str(os.getpid())), capture_stdout=True, capture_stderr=True, check=False, start_new_session=True
        )
    except OSError as error:
        return 1, f"a process must start, did not: {error.strerror}"
    return done.returncode, (done.stdout or done.stderr).decode(errors="replace").strip()[-300:]


def _mark(journal: Path, said: str) -> None:
    try:
        mark_path(journal).write_text(f"{said}\n")
    except OSError as error:
        # The alarm is told all the same, and the next engine finds it once more.
        log.warning("journal_not_marked", path=str(mark_path(journal)), reason=error.strerror)


def main(words: list[str]) -> int:
    path, seq, digest, engine = words
    os.nice(NICE)

    def rest() -> None:
        time.sleep(REST_S)
        if os.getppid() != int(engine):
            # It is gone, and nobody hears what would be found.
            sys.exit(1)

    try:
        with ReadOnlyStore.open(Path(path)) as store:
            store.verify_older(Head(int(seq), bytes.fromhex(digest)), between=rest)
    except StoreCorrupt as error:
        sys.stdout.write(error.what)
        return DAMAGED
    except StoreError as error:
        sys.stderr.write(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
