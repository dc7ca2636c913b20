"""The network cards of the guest, as QEMU makes them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

DATAGRAMS = 7
"""UDP port of the peer that answers what it gets."""
DROPPED_IN = 9
"""Another one, whose answers the rules drop."""
DROPPED_OUT = 11
"""Another one, which the rules let nothing reach by tc egress."""
BULK = 19
"""TCP port of the peer that sends BULK_BYTES and closes."""
BULK_BYTES = 400_000
ETHERNET_MTU = 1500
JUMBO_MTU = 9000


@dataclass(frozen=True)
class Nic:
    """A card: its name in the guest and on the peer's side, and QEMU's device."""

    name: str
    device: str
    module: str
    jumbo: bool = True
    """Whether it takes JUMBO_MTU."""
    about: str = ""


NICS = (
    Nic("virtio", "virtio-net-pci", "virtio_net"),
    Nic("small", "virtio-net-pci,mrg_rxbuf=off", "virtio_net", about="no mergeable buffers"),
    Nic("vmxnet3", "vmxnet3", "vmxnet3"),
    Nic("e1000e", "e1000e", "e1000e"),
    Nic("rtl8139", "rtl8139", "8139cp", jumbo=False),
)


def mac(number: int) -> str:
    """The card's address in the guest."""
    return f"52:54:00:00:00:{number:02x}"


def peer_address(number: int) -> str:
    """The address on the tap, outside the guest."""
    return f"10.77.{number}.1"


def guest_address(number: int) -> str:
    """The address in the guest."""
    return f"10.77.{number}.2"


def qemu_options(nics: Sequence[Nic]) -> str:
    """QEMU's options for the cards, each on the tap of its name."""
    parts = []
    for number, nic in enumerate(nics, 1):
        parts.append(
            f"-netdev tap,id={nic.name},ifname={nic.name},script=no,downscript=no,vhost=off"
            f" -device {nic.device},netdev={nic.name},mac={mac(number)}"
        )
    return " ".join(parts)
