"""The numbers of possible CPUs."""

from __future__ import annotations

import functools
from pathlib import Path

from xdpwall.errors import Failed

_POSSIBLE = Path("/sys/devices/system/cpu/possible")


@functools.cache
def cpu_ids() -> int:
    """One more than the highest number of a possible CPU: more than libbpf.cpus() where the numbers
    have gaps."""
    try:
        text = _POSSIBLE.read_text(encoding="ascii")
        return int(text.strip().replace(",", "-").rpartition("-")[2]) + 1
    except (OSError, ValueError) as error:
        raise Failed(
            "the numbers of CPUs cannot be read", detail=f"{_POSSIBLE}: {error}"
        ) from error
