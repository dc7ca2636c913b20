"""How many CPUs there may be."""

from __future__ import annotations

import functools
from pathlib import Path

from xdpwall.errors import Failed

_POSSIBLE = Path("/sys/devices/system/cpu/possible")


@functools.cache
def cpu_ids() -> int:
    """One more than the highest number that a CPU may have. The numbers may have gaps: then it is
    more than libbpf.cpus()."""
    try:
        text = _POSSIBLE.read_text(encoding="ascii")
        return int(text.strip().replace(",", "-").rpartition("-")[2]) + 1
    except (OSError, ValueError) as error:
        raise Failed(
            "the numbers of CPUs cannot be read", detail=f"{_POSSIBLE}: {error}"
        ) from error
