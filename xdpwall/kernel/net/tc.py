"""tc's clsact qdisc and its BPF filters by netlink; tcx programs by bpf(2)."""

from __future__ import annotations

import ctypes
import struct
from dataclasses import dataclass
from typing import Any, Literal

from xdpwall.errors import Conflict, Unsupported
from xdpwall.kernel.bpf.libbpf import lib

from .attached import has_filters
from .rtnl import interface_name, rtnl_socket
from .tc_actions import lets_pass

Direction = Literal["ingress", "egress"]

_PARENTS = {"ingress": 0xFFFFFFF2, "egress": 0xFFFFFFF3}
_CLSACT_PARENT = 0xFFFFFFF1
_TCA_CHAIN = 11
_TCA_BPF_ID = 11
_TCX_ATTACH_TYPES = {"ingress": 46, "egress": 47}
_MAX_TCX = 64  # BPF_MPROG_MAX, the kernel's limit of programs on one hook


@dataclass(frozen=True, slots=True)
class TcFilter:
    """One filter of a hook, in the order in which the kernel runs them."""

    prio: int
    handle: int
    kind: str
    """bpf, flower, u32, ..."""
    name: str | None
    prog_id: int | None
    """None for a filter that is no BPF program."""
    protocol: int
    """The ethertype that it matches; 3 (ETH_P_ALL) is every one."""
    chain: int = 0
    """Packets begin in chain 0; those of others are reached by a filter's `goto chain`."""
    lets_pass: bool = True
    """False when it can only drop, or leave packets to the next filter."""


def tc_qdisc(index: int) -> str | None:
    """The qdisc that holds filters: "clsact", "ingress" (an older one), or None."""
    with rtnl_socket(f"list the qdiscs of {interface_name(index)}") as ip:
        for message in ip.get_qdiscs(index=index):
            if message["index"] == index and message["parent"] == _CLSACT_PARENT:
                return str(message.get_attr("TCA_KIND"))
    return None


def tc_ensure_clsact(index: int, direction: Direction) -> None:
    """Make the clsact qdisc when there is none.

    An existing `ingress` qdisc suffices for ingress. For egress it is a Conflict: the kernel would
    accept the filter and run it at ingress.
    """
    for _ in range(2):  # another process may add it between the query and the command
        kind = tc_qdisc(index)
        if kind == "clsact" or (kind == "ingress" and direction == "ingress"):
            return
        if kind is not None:
            raise Conflict(
                f"{interface_name(index)} has {kind!r} qdisc, which has no {direction} filters",
                code="other-qdisc",
                hint="its owner would have to use clsact: `tc qdisc replace dev IFACE clsact`",
            )
        try:
            with rtnl_socket(f"add clsact to {interface_name(index)}") as ip:
                ip.tc("add", "clsact", index)
            return
        except Conflict as error:
            lost = error
    raise lost


def tc_filters(index: int, direction: Direction) -> list[TcFilter]:
    """The filters of one hook, of every chain and of a shared block, first to run first within a
    chain; empty without a qdisc or an interface."""
    try:
        if not has_filters(index, f"tc-{direction}"):  # type: ignore[arg-type]
            return []
    except OSError:
        pass  # asked again below, and explained
    # Filters of a plain ingress qdisc are listed for either parent.
    if direction == "egress" and tc_qdisc(index) != "clsact":
        return []
    with rtnl_socket(f"list the {direction} filters of {interface_name(index)}") as ip:
        messages = list(ip.get_filters(index=index, parent=_PARENTS[direction]))
    found = [_filter(m) for m in messages if m.get_attr("TCA_OPTIONS") is not None]
    # Stable: the kernel's order within a priority.
    return sorted(found, key=lambda f: (f.chain, f.prio))


def tc_add(
    index: int, direction: Direction, fd: int, *, name: str, prio: int, handle: int = 1
) -> None:
    """Add a direct-action filter for every protocol; Conflict when the place is taken, Unsupported
    when the hook's filters are a block shared with other interfaces."""
    try:
        _change("add-filter", index, direction, fd=fd, name=name, prio=prio, handle=handle)
    except Unsupported as error:
        if "block is shared" not in error.message:  # tcf_block_find() of the kernel
            raise
        iface = interface_name(index)
        cure = f"`xdpwall attach {iface}` (XDP) comes before it; " * (direction == "ingress")
        raise Unsupported(
            error.message,
            code="shared-block",
            field="iface",
            value=iface,
            hint=f"{cure}`tc qdisc show dev {iface}` names the block",
            detail=error.detail,
        ) from error


def tc_replace(
    index: int, direction: Direction, fd: int, *, name: str, prio: int, handle: int
) -> None:
    """Swap the program of the filter at `prio` and `handle`, with no packet between."""
    _change("replace-filter", index, direction, fd=fd, name=name, prio=prio, handle=handle)


def tc_delete(index: int, direction: Direction, *, prio: int, handle: int) -> None:
    """Delete one filter; NotFound when it is not there."""
    with rtnl_socket(f"delete the {direction} filter of {interface_name(index)}") as ip:
        ip.tc("del-filter", "bpf", index, handle, parent=_PARENTS[direction], prio=prio)


def tcx_query(index: int, direction: Direction) -> list[int]:
    """Program ids at tcx, first to run first; empty where the kernel has no tcx (before 6.6)."""
    ids = (ctypes.c_uint32 * _MAX_TCX)()
    count = ctypes.c_uint32(_MAX_TCX)
    # The first argument is a union of target fd and ifindex.
    done = lib().bpf_prog_query(
        index, _TCX_ATTACH_TYPES[direction], 0, None, ids, ctypes.byref(count)
    )
    return list(ids[: count.value]) if done == 0 else []


def _change(
    verb: str, index: int, direction: Direction, *, fd: int, name: str, prio: int, handle: int
) -> None:
    with rtnl_socket(f"attach tc ({direction}) to {interface_name(index)}") as ip:
        ip.tc(
            verb,
            "bpf",
            index,
            handle,
            fd=fd,
            name=name,
            parent=_PARENTS[direction],
            direct_action=True,
            prio=prio,
        )


def _filter(message: Any) -> TcFilter:
    options = message.get_attr("TCA_OPTIONS")
    kind = str(message.get_attr("TCA_KIND"))
    bpf = kind == "bpf"
    info = int(message["info"])
    return TcFilter(
        prio=info >> 16,
        handle=int(message["handle"]),
        kind=kind,
        name=options.get_attr("TCA_BPF_NAME") if bpf else None,
        prog_id=_program_id(options) if bpf else None,
        protocol=((info & 0xFF) << 8) | ((info >> 8) & 0xFF),  # network byte order inside
        chain=_unknown(message, _TCA_CHAIN) or 0,
        lets_pass=lets_pass(options),
    )


def _program_id(options: Any) -> int | None:
    if (known := options.get_attr("TCA_BPF_ID")) is not None:
        return int(known)
    return _unknown(options, _TCA_BPF_ID)


def _unknown(message: Any, number: int) -> int | None:
    """A 32-bit attribute whose name pyroute2 0.9 does not know, out of the raw attribute."""
    for name, value in message["attrs"]:
        if name == "UNKNOWN" and value["header"]["type"] == number:
            return int(struct.unpack_from("=I", value.data, value.offset + 4)[0])
    return None
