"""XDP features of drivers, from the `netdev` generic netlink family (Linux 6.3 and later)."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from .rtnl import netlink_error

_DEV_GET = 1
_BASIC = 1
_RX_SG = 32


@dataclass(frozen=True, slots=True)
class XdpFeatures:
    """XDP features of one driver; generic mode needs none of them."""

    native: bool
    frags: bool
    """Native mode takes packets of several buffers, and so any MTU."""


def xdp_features() -> dict[int, XdpFeatures] | None:
    """Features by interface index, in this thread's namespace; None on older kernels."""
    from pyroute2.netlink import NLM_F_DUMP, NLM_F_REQUEST, genlmsg
    from pyroute2.netlink.exceptions import NetlinkError
    from pyroute2.netlink.generic import GenericNetlinkSocket

    class message(genlmsg):  # type: ignore[misc]
        prefix = "DEV_"
        nla_map = (
            ("DEV_UNSPEC", "none"),
            ("DEV_IFINDEX", "uint32"),
            ("DEV_PAD", "hex"),
            ("DEV_XDP_FEATURES", "uint64"),
        )

    found = {}
    try:
        with GenericNetlinkSocket() as socket:
            socket.bind("netdev", message)
            question = message()
            question["cmd"], question["version"] = _DEV_GET, 1
            for answer in socket.nlm_request(
                question, msg_type=socket.prid, msg_flags=NLM_F_REQUEST | NLM_F_DUMP
            ):
                bits = int(answer.get_attr("DEV_XDP_FEATURES") or 0)
                index = int(answer.get_attr("DEV_IFINDEX"))
                found[index] = XdpFeatures(native=bool(bits & _BASIC), frags=bool(bits & _RX_SG))
    except NetlinkError as error:
        if error.code == errno.ENOENT:  # no such family
            return None
        raise netlink_error(
            error.code, str(error.args[1]), "ask the drivers what XDP they do"
        ) from error
    return found
