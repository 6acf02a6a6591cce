"""What this process and its disk have left, from the operating system."""

import os
import shutil
from pathlib import Path
from typing import Final

PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
STATM: Final = Path("/proc/self/statm")


def disk_free_bytes(folder: Path) -> int | None:
    """Free for this user where `folder` is; None when it cannot be told. It asks the kernel, not the disk."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def memory_bytes() -> int | None:
    """Resident memory of this process; None where there is no /proc."""
    try:
        return int(STATM.read_text().split()[1]) * PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return None
