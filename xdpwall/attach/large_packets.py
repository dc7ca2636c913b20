"""Packets of more than one buffer, in native mode on drivers that let the MTU grow past what they can do."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from xdpwall.errors import Unsupported
from xdpwall.kernel.net.link_state import link_state
from xdpwall.ruleset.attachment import Attachment

ONE_BUFFER = 3400
"""The MTU that every driver can keep in one page with XDP's headroom, somewhat rounded down."""

UNCHECKED = frozenset({"virtio_net"})
"""Drivers that ask for an MTU of one buffer when a program is attached and not when the MTU is raised
afterwards; others refuse that."""


def large_packet_warning(
    row: Attachment, driver: str | None, mtu: int, has_frags: Callable[[], bool | None]
) -> str | None:
    """Warn of an attachment in native mode whose interface loses its large packets. `has_frags`: whether
    its program takes packets of several buffers."""
    if driver not in UNCHECKED or mtu <= ONE_BUFFER or has_frags() is not False:
        return None
    return (
        f"{row.words} native: packets of more than one buffer are lost, since the MTU was raised to"
        f" {mtu} after the program was attached: `ip link set {row.iface} mtu {ONE_BUFFER}`, or"
        f" `xdpwall detach {row.iface} --hook xdp` and `xdpwall attach {row.iface}`, which Linux 6.1"
        " refuses until the MTU is lower"
    )


@contextmanager
def mtu_hint(index: int) -> Iterator[None]:
    """Give an Unsupported of the driver the hint to lower the MTU, where that is large: virtio_net
    of Linux 6.1 lets no program go, and takes none in its place, above one buffer."""
    try:
        yield
    except Unsupported as error:
        mtu = 0
        with suppress(OSError):
            mtu, name = link_state(index).mtu, socket.if_indextoname(index)
        if error.hint is None and mtu > ONE_BUFFER:
            error.hint = f"the MTU is {mtu}: `ip link set {name} mtu {ONE_BUFFER}`, and once more"
        raise
