"""Read the switch from the pinned control map alone, without NumPy, for a fast `rule list`."""

from __future__ import annotations

import sys
from pathlib import Path

from xdpwall.errors import XdpwallError
from xdpwall.kernel.bpf.maps import Map
from xdpwall.limits import CONTROL_OFF, CONTROL_REVISION_SHIFT


def is_switched_off(bpffs: Path) -> bool:
    """Whether everything passes by `xdpwall off`; False also where no map can be read."""
    return bool((_control_word(bpffs) or 0) & CONTROL_OFF)


def pinned_revision(bpffs: Path) -> int | None:
    """The revision that packets are judged by; None where no map can be read."""
    word = _control_word(bpffs)
    return None if word is None else word >> CONTROL_REVISION_SHIFT


def _control_word(bpffs: Path) -> int | None:
    try:
        with Map.open_pinned(bpffs / "maps" / "control") as table:
            word = table.lookup(0)
    except XdpwallError:
        return None
    return None if word is None else int.from_bytes(word[:8], sys.byteorder)
