"""Drivers that take an XDP program in native mode and do not run it: known ones, and how to tell."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from xdpwall.errors import Unsupported
from xdpwall.ruleset.attachment import Attachment

GUEST_TSO = frozenset({7, 8, 9, 10})
"""VIRTIO_NET_F_GUEST_TSO4, _TSO6, _ECN, _UFO: the host may send packets longer than the MTU."""
GUEST_USO = frozenset({54, 55})
"""VIRTIO_NET_F_GUEST_USO4, _USO6, which Linux uses together."""
MERGEABLE = 15
"""VIRTIO_NET_F_MRG_RXBUF: a packet may lie in several buffers."""


class NativeTrap(NamedTuple):
    """Why native mode is not to be used on an interface."""

    reason: str
    """A clause."""
    certain: bool
    """No packet would be judged, and native is refused; otherwise it may work for a while."""
    cure: str


_VMXNET3 = NativeTrap(
    "vmxnet3 stops running its XDP program once the interface is set down and up, or its MTU changes",
    certain=False,
    cure="`--mode generic` goes on",
)
_VIRTIO = NativeTrap(
    "this virtio card has no mergeable receive buffers and takes segments longer than the MTU: its"
    " driver accepts an XDP program and never runs it (virtio_net, receive_big)",
    certain=True,
    cure="--mode generic judges every packet; or start the guest with mergeable buffers"
    " (QEMU: mrg_rxbuf=on), or without guest_tso4, guest_tso6, guest_ecn and guest_ufo",
)


def native_trap(
    iface: str,
    driver: str | None,
    features: Callable[[str], AbstractSet[int] | None] | None = None,
) -> NativeTrap | None:
    """The trap that this interface's driver is, if it is a known one. `features`: of the virtio card."""
    if driver == "vmxnet3":
        return _VMXNET3
    if driver == "virtio_net":
        bits = (features or _virtio_features)(iface)
        if bits is not None and MERGEABLE not in bits and _takes_long(bits):
            return _VIRTIO
    return None


def _takes_long(bits: AbstractSet[int]) -> bool:
    return not GUEST_TSO.isdisjoint(bits) or bits >= GUEST_USO


def _virtio_features(iface: str) -> AbstractSet[int] | None:
    from xdpwall.kernel.net.ethtool import Ethtool
    from xdpwall.kernel.net.virtio import virtio_features

    with Ethtool() as ethtool:
        address = ethtool.bus_address(iface)
    return None if address is None else virtio_features(address)


def trap_warning(row: Attachment, driver: str | None) -> str | None:
    """Warn of an attachment in native mode on a driver that is known for not running the program."""
    trap = native_trap(row.iface, driver)
    if trap is None:
        return None
    return (
        f"{row.words} native: {trap.reason}; {trap.cure}"
        f" (`xdpwall detach {row.iface} --hook xdp` first)"
    )


def refuse_native(iface: str, trap: NativeTrap) -> Unsupported:
    """The error for native mode where it is certain that no packet would be judged."""
    return Unsupported(
        f"{iface} runs no native XDP: {trap.reason}",
        code="no-native",
        field="mode",
        value="native",
        hint=trap.cure,
    )
