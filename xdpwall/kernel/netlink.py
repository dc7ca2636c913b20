"""Netlink as the rest of xdpwall sees it."""

from __future__ import annotations

from .links import LinkInfo, XdpState, link, links
from .tc import (
    Direction,
    TcFilter,
    tc_add,
    tc_delete,
    tc_ensure_clsact,
    tc_filters,
    tc_qdisc,
    tc_replace,
    tcx_query,
)
from .xdp import Mode, xdp_attach, xdp_detach, xdp_query

__all__ = [
    "Direction",
    "LinkInfo",
    "Mode",
    "TcFilter",
    "XdpState",
    "link",
    "links",
    "tc_add",
    "tc_delete",
    "tc_ensure_clsact",
    "tc_filters",
    "tc_qdisc",
    "tc_replace",
    "tcx_query",
    "xdp_attach",
    "xdp_detach",
    "xdp_query",
]
