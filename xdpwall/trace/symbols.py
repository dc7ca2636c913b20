"""Names for addresses in kernel code, from /proc/kallsyms."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path

from xdpwall.errors import Failed

KALLSYMS = Path("/proc/kallsyms")
_CODE = frozenset("tTwW")


class Symbols:
    """The symbols when it was made; modules and BPF programs loaded later are missing."""

    def __init__(self, path: Path = KALLSYMS) -> None:
        found: dict[int, str] = {}
        try:
            with path.open(encoding="ascii", errors="replace") as lines:
                for line in lines:
                    address, kind, name = line.split(None, 3)[:3]
                    if kind in _CODE:
                        found.setdefault(int(address, 16), name)
        except OSError as error:
            raise Failed(f"cannot read {path}: {error.strerror}", detail=str(error)) from error
        self._starts = sorted(found)
        self._names = found

    def hidden(self) -> bool:
        """Whether the kernel shows addresses as 0 (kptr_restrict)."""
        return not any(self._starts)

    def name(self, address: int) -> str:
        """`nf_hook_slow+0x91`; the number where nothing is known."""
        at = bisect_right(self._starts, address)
        start = self._starts[at - 1] if at else 0
        if not start:
            return f"{address:#x}"
        return f"{self._names[start]}+{address - start:#x}"
