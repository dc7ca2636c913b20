"""Trace every drop in the kernel: BCC's records and our own programs', joined."""

from __future__ import annotations

import functools
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from xdpwall.closing import Closing
from xdpwall.errors import NeedsPrivileges, XdpwallError
from xdpwall.instance.namespace import netns_inode
from xdpwall.kernel.bpf.btf_kernel import KernelBtf
from xdpwall.kernel.clock import SystemClock
from xdpwall.settings import Settings
from xdpwall.values.times import epoch_ns_text
from xdpwall.views.drops import Drop

from .bcc_process import BccProcess
from .bcc_source import bcc_source, kernel_reasons
from .filters import DropFilter
from .own_drops import OwnDrops
from .pairing import Pairing
from .record import EXCEPTION, DropRecord, decode_headers, read_record
from .symbols import Symbols

_POLL = 0.05
_SLACK_NS = 100_000_000
"""A record's time is taken before it is in its ring, and the kernel frees a packet after our
verdict: microseconds, unless the CPU is stopped (a virtual machine) in between."""
_ACTIONS = ("ABORTED", "DROP", "PASS", "TX", "REDIRECT")


@functools.cache
def _btf() -> KernelBtf:
    return KernelBtf.read()


def known_reasons(given: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """The drop reasons of this kernel, or those in `given` as the kernel spells them.

    InvalidInput names an unknown one.
    """
    if given == ():
        return ()
    reasons = kernel_reasons(_btf())
    return tuple(
        reasons.all_names() if given is None else map(reasons.name, reasons.numbers(given))
    )


class Tracer(Closing):
    """Runs until close(). Unsupported says what the host lacks; NeedsPrivileges off root."""

    def __init__(
        self, wanted: DropFilter, settings: Settings | None = None, *, stack: bool = False
    ) -> None:
        """`settings`: the instance whose rules are named; None for the kernel's drops alone."""
        if os.geteuid() != 0:
            raise NeedsPrivileges(
                "tracing reads every packet that is dropped", hint="run it as root"
            )
        btf = _btf()
        self._reasons = kernel_reasons(btf)
        self._wanted = wanted
        self._stack = stack
        with ThreadPoolExecutor(1) as meanwhile:
            symbols = meanwhile.submit(Symbols)
            self._bcc = BccProcess.start(bcc_source(btf, self._reasons, wanted, stack=stack))
        self._own_drops: OwnDrops | None = None
        self.warnings: list[str] = []
        """Reasons why some drops cannot be traced, in words."""
        try:
            self._symbols = symbols.result()
            self._open_own_drops(settings)
        except BaseException:
            self._bcc.close()
            raise
        if self._symbols.hidden():
            self.warnings.append(
                "the kernel hides where its functions lie, so they have no names here: "
                "sysctl kernel.kptr_restrict=1"
            )
        self._netns = netns_inode()
        # Read once: two clocks read one after the other never agree quite.
        self._clock = SystemClock()
        self._boot = self._clock.offset_ns()
        # BCC reports before our programs do: those drops would look like the kernel's.
        self._pairing = Pairing(self._own_drops.begun if self._own_drops else 0)
        self._complete = 0

    def _open_own_drops(self, settings: Settings | None) -> None:
        if settings is None:
            return
        try:
            self._own_drops = OwnDrops(settings, self._wanted)
        except XdpwallError as error:
            self.warnings.append(f"rules are not told apart from the kernel: {error.message}")

    @property
    def lost(self) -> int:
        """Drops so far that did not fit into a ring."""
        return self._bcc.lost + (self._own_drops.lost if self._own_drops else 0)

    def read(self, timeout: float) -> list[Drop]:
        """Drops, oldest first; [] when none came within `timeout` seconds.

        A drop is held back for a moment: the other record of the same packet may still come.
        """
        deadline = time.monotonic() + timeout
        while True:
            found = self._read(min(_POLL, max(0.0, deadline - time.monotonic())))
            if found or time.monotonic() >= deadline:
                return found

    def read_remaining(self) -> list[Drop]:
        """Wait for the drops from before this call."""
        asked = self._clock.boot_ns()
        found = []
        while self._complete < asked:
            found += self._read(_POLL)
        return found

    def _read(self, timeout: float) -> list[Drop]:
        records = [read_record(raw) for raw in self._bcc.read(timeout)]
        self._pairing.add((record.time, self._drop(record)) for record in records)
        complete = self._bcc.complete - self._clock.shift_ns
        if self._own_drops is not None:
            self._pairing.add(self._own_drops.read(self._boot))
            self._pairing.begun = self._own_drops.begun
            complete = min(complete, self._own_drops.complete)
        self._complete = complete - _SLACK_NS
        return [drop for drop in self._pairing.ready(self._complete) if self._wanted.wants(drop)]

    def close(self) -> None:
        """End the BCC process and remove the tap."""
        try:
            if self._own_drops is not None:
                self._own_drops.close()
        finally:
            self._bcc.close()

    def _drop(self, r: DropRecord) -> Drop:
        found: dict[str, Any] = {
            "time": epoch_ns_text(self._boot + r.time),
            "by": "kernel",
            "iface": r.iface or None,
            "netns": r.netns if r.netns not in (0, self._netns) else None,
            "pid": r.pid or None,
            "process": r.process or None,
        }
        if r.kind == EXCEPTION:
            action = _ACTIONS[r.reason] if r.reason < len(_ACTIONS) else f"action {r.reason}"
            found |= {"by": "xdp-exception", "reason": action, "program": r.program}
        else:
            found |= {
                "reason": self._reasons.name(r.reason),
                "function": self._symbols.name(r.where),
                "bytes": r.length,
                **decode_headers(r.ethertype, r.packet),
            }
        if self._stack:
            # The frames above are those of tracing and of freeing.
            begin = r.stack.index(r.where) if r.where in r.stack else 0
            found["stack"] = [self._symbols.name(address) for address in r.stack[begin:]]
        return Drop.model_construct(**found)
