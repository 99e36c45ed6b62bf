"""Free memory of the host."""

import os
from pathlib import Path


def free_host_memory() -> int | None:
    """Return the bytes available without swapping; None if that is unknown."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        lines = meminfo.read_text().splitlines()
        sizes = [line.split()[1] for line in lines if line.startswith("MemAvailable")]
        if sizes:
            return int(sizes[0]) * 1024
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # This system does not say.
        return None
