"""Whether an interface may take VLAN tags out of frames before XDP sees them, asked of its driver."""

from __future__ import annotations

from xdpwall.ruleset.attachment import Attachment


def may_strip_tags(attachment: Attachment) -> bool:
    """False where the driver says that it leaves tags in the frame: a card with rxvlan off, or one
    that has no such offload.

    A virtual interface (veth, bridge, bond) carries tags beside the frame when its sender does,
    whatever its rxvlan says.
    """
    if attachment.kind is not None:
        return True
    from xdpwall.kernel.net.ethtool import Ethtool

    with Ethtool() as ethtool:
        return ethtool.offloads(attachment.iface).rxvlan is not False
