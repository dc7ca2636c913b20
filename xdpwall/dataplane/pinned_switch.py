"""Read the switch from the pinned control map alone, without NumPy, for a fast `rule list`."""

from __future__ import annotations

import sys
from pathlib import Path

from xdpwall.errors import XdpwallError
from xdpwall.kernel.bpf.maps import Map
from xdpwall.limits import CONTROL_OFF


def is_switched_off(bpffs: Path) -> bool:
    """Whether everything passes by `xdpwall off`; False also where no map can be read."""
    try:
        with Map.open_pinned(bpffs / "maps" / "control") as table:
            word = table.lookup(0)
    except XdpwallError:
        return False
    return bool(int.from_bytes((word or b"")[:8], sys.byteorder) & CONTROL_OFF)
