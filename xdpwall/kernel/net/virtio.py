"""What a virtio card and its driver have agreed on, from sysfs."""

from __future__ import annotations

from pathlib import Path

DEVICES = Path("/sys/bus/virtio/devices")


def virtio_features(bus_address: str, devices: Path = DEVICES) -> set[int] | None:
    """The feature bits (VIRTIO_NET_F_*) of the card at an address such as 0000:00:03.0, which ethtool
    tells; None when it is not known. Under /sys/bus, unlike /sys/class/net, every namespace is the same."""
    found = [one for one in devices.glob("virtio*") if one.resolve().parent.name == bus_address]
    if len(found) != 1:
        return None
    try:
        bits = (found[0] / "features").read_text().strip()
    except OSError:
        return None
    return {number for number, bit in enumerate(bits) if bit == "1"}
