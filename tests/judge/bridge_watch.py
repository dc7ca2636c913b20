"""Find the frames of a burst that pass a firewall; the source address identifies each."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.net.netns import Lab
from tests.support.packets import frames as f
from tests.support.packets.packets import Wire

LAST = f.ether(f.Layer(0x88B6, b"last"), pad=60)


class BridgeWatch:
    """Frames go from `box` into a bridge's port, which has the firewall; a socket reads the bridge.

    A packet socket on the port itself would see them before tc and nftables do.
    """

    def __init__(self, lab: Lab, name: str) -> None:
        self.host, box = lab.namespace(f"{name}host"), lab.namespace(f"{name}box")
        lab.bridge(self.host, "br0")
        # Else, where br_netfilter is in the kernel, the bridge drops broken IP headers itself.
        for family in ("iptables", "ip6tables", "arptables"):
            self.host.run("sysctl", "-eqw", f"net.bridge.bridge-nf-call-{family}=0")
        self.host.ip(f"link set br0 address {f.MAC_B.hex(':')}")
        lab.veth(self.host, "v0", box, "eth0", master="br0")
        self.sender, self.receiver = Wire(box, "eth0"), Wire(self.host, "br0")

    def passed(self, frames: Sequence[bytes]) -> set[int]:
        """The indices of the frames that got through."""
        self.receiver.drain()
        for number, frame in enumerate(frames):
            self.sender.send(f.MAC_B + b"\x02\x01" + number.to_bytes(4, "big") + frame[12:])
        self.sender.send(LAST)
        found = set()
        while (got := self.receiver.receive()) != LAST:
            assert got is not None, "the frame after the burst is lost"
            if got[6:8] == b"\x02\x01":
                found.add(int.from_bytes(got[8:12], "big"))
        return found

    def close(self) -> None:
        """Close the sockets."""
        self.sender.close()
        self.receiver.close()
