"""How much memory the machine has left."""

import os
from pathlib import Path


def free_host_memory() -> int | None:
    """Return bytes that may be taken without swapping; None if it cannot be told."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        lines = meminfo.read_text().splitlines()
        found = [line.split()[1] for line in lines if line.startswith("MemAvailable")]
        if found:
            return int(found[0]) * 1024
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Not on this system.
        return None
