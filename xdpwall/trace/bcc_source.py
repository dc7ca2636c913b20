"""The C that BCC compiles: macros for this kernel's structures and for the filter, then drops.c."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING

from xdpwall.errors import Unsupported
from xdpwall.values.protocols import PROTOCOLS

from .filters import DropFilter
from .reasons import Reasons

if TYPE_CHECKING:
    from xdpwall.kernel.bpf.btf_kernel import KernelBtf
    from xdpwall.values.addresses import Prefix

RING_PAGES = 256  # 1 MiB, a power of two

_MEMBERS = {
    "SKB_DEV": ("sk_buff", "dev"),
    "SKB_SK": ("sk_buff", "sk"),
    "SKB_IIF": ("sk_buff", "skb_iif"),
    "SKB_LEN": ("sk_buff", "len"),
    "SKB_HEAD": ("sk_buff", "head"),
    "SKB_DATA": ("sk_buff", "data"),
    "SKB_TAIL": ("sk_buff", "tail"),
    "SKB_MAC": ("sk_buff", "mac_header"),
    "SKB_NETWORK": ("sk_buff", "network_header"),
    "SKB_PROTOCOL": ("sk_buff", "protocol"),
    "DEV_NAME": ("net_device", "name"),
    "DEV_IFINDEX": ("net_device", "ifindex"),
    "DEV_NET": ("net_device", "nd_net", "net"),
    "SOCK_NET": ("sock", "__sk_common", "skc_net", "net"),
    "NET_INUM": ("net", "ns", "inum"),
    "TASK_FLAGS": ("task_struct", "flags"),
    "PROG_AUX": ("bpf_prog", "aux"),
    "AUX_ID": ("bpf_prog_aux", "id"),
}


def kernel_reasons(btf: KernelBtf) -> Reasons:
    """The names of this kernel's drop reasons. Unsupported when its tracepoint has none."""
    if btf.arguments("kfree_skb")[2:3] != ["enum skb_drop_reason"]:
        raise Unsupported(
            "this kernel does not tell why it drops: its tracepoint kfree_skb has no reason",
            code="no-drop-reasons",
            hint="Linux 6.1 and later do",
        )
    try:
        subsystems = btf.enum("skb_drop_reason_subsys")  # since 6.4
    except Unsupported:
        subsystems = {}
    return Reasons(btf.enum("skb_drop_reason"), subsystems)


def bcc_source(btf: KernelBtf, reasons: Reasons, wanted: DropFilter, *, stack: bool) -> str:
    """The whole program. Unsupported names what this kernel lacks."""
    btf.arguments("xdp_exception")
    lines = [f"#define {name} {value}" for name, value in _macros(btf, reasons, wanted)]
    if stack:
        lines.append("#define STACK")
    return "\n".join([*lines, files(__package__).joinpath("drops.c").read_text("utf-8")])


def _macros(btf: KernelBtf, reasons: Reasons, wanted: DropFilter) -> Iterator[tuple[str, object]]:
    for name, path in _MEMBERS.items():
        yield name, btf.member(*path).offset
    yield "RING_PAGES", RING_PAGES
    yield "NO_DROP(r)", _one_of(reasons.no_drop)
    if wanted.reasons:
        yield "BY_REASON", ""
        yield "WANT_REASON(r)", _one_of(reasons.numbers(tuple(wanted.reasons)))
    else:
        yield "WANT_REASON(r)", "1"
    if wanted.iface and not wanted.iface.startswith("!"):
        raw = wanted.iface.encode()[:15].ljust(16, b"\0")
        yield "WANT_IFACE", "{" + ", ".join(map(str, raw)) + "}"
    src, dst = _plain(wanted.src), _plain(wanted.dst)
    if src or dst or wanted.proto is not None or wanted.dport is not None:
        yield "BY_PACKET", ""
        families = {4, 6} & {p.family for p in (src, dst) if p} or {4, 6}
        families = families if len({p.family for p in (src, dst) if p}) < 2 else set()
        yield "WANT_FAMILIES", sum({4: 1, 6: 2}[family] for family in families)
        yield from _address("WANT_SRC", src)
        yield from _address("WANT_DST", dst)
    if wanted.proto is not None:
        number = wanted.proto
        yield "WANT_PROTO", PROTOCOLS[number] if isinstance(number, str) else number
    if wanted.dport is not None:
        yield "WANT_DPORT", wanted.dport


def _one_of(numbers: list[int]) -> str:
    return "(" + " || ".join(f"(r) == {number}" for number in numbers or [-1]) + ")"


def _plain(wanted: tuple[bool, Prefix] | None) -> Prefix | None:
    """A negated prefix is left to DropFilter."""
    return wanted[1] if wanted and not wanted[0] else None


def _address(name: str, prefix: Prefix | None) -> Iterator[tuple[str, object]]:
    """Macros of an address and its mask: four words in network order, read little-endian."""
    bits = 32 if prefix and prefix.family == 4 else 128
    address = prefix.address if prefix else 0
    ones = prefix.length if prefix else 0
    mask = ((1 << ones) - 1) << (bits - ones)
    for suffix, number in (("", address), ("_MASK", mask)):
        raw = number.to_bytes(bits // 8).ljust(16, b"\0")
        words = [int.from_bytes(raw[i : i + 4], "little") for i in range(0, 16, 4)]
        yield name + suffix, ", ".join(f"{word:#x}" for word in words)
