"""What is wrong with attachments in native mode, asked of their drivers now."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from xdpwall.attach.large_packets import large_packet_warning
from xdpwall.attach.native_traps import trap_warning
from xdpwall.errors import XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.kernel.net.ethtool import Ethtool
from xdpwall.kernel.net.link_state import link_state
from xdpwall.ruleset.attachment import Attachment

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane


def native_warnings(
    instance: Instance, dataplane: Dataplane | None, rows: Iterable[Attachment]
) -> list[str]:
    """A sentence for each attachment on a network card that does not run its program, or loses packets
    by it. Takes microseconds where there is nothing to tell."""
    native = [row for row in rows if row.mode == "native" and row.kind is None]
    if not native or dataplane is None:
        return []
    found = []
    with Ethtool() as ethtool:
        for row in native:
            driver = ethtool.driver(row.iface)
            with suppress(OSError):  # the interface has gone
                mtu = link_state(row.index).mtu
                found += [
                    trap_warning(row, driver),
                    large_packet_warning(
                        row, driver, mtu, partial(_has_frags, instance, dataplane, row)
                    ),
                ]
    return [words for words in found if words]


def _has_frags(instance: Instance, dataplane: Dataplane, row: Attachment) -> bool | None:
    """Whether the program takes packets of several buffers; None when the kernel does not tell."""
    from xdpwall.kernel.bpf.programs import Program

    with suppress(XdpwallError):
        pin = instance.attacher.pins.path(row.index, row.place)
        with Program.open_pinned(pin) as program:
            value = dataplane.programs.constant(program, "fragmented")
            return None if value is None else bool(value)
    return None
