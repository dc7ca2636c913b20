"""The checks of `xdpwall doctor` of interfaces, and of other owners' programs on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from xdpwall.attach.attacher import ETHERNET, Attacher
from xdpwall.attach.large_packets import ONE_BUFFER
from xdpwall.attach.native_traps import NativeTrap, native_trap
from xdpwall.kernel.net.ethtool import Ethtool, Offloads
from xdpwall.kernel.net.links import LinkInfo, links
from xdpwall.kernel.net.netdev import XdpFeatures, xdp_features
from xdpwall.kernel.net.xdp_transmit import peer_receives
from xdpwall.values.terms import Mode
from xdpwall.views.attachments import Occupant
from xdpwall.views.doctor import Check

_BYPASS_CURE = {
    "ingress": "ask its owner whether it lets packets pass, or attach at xdp, which comes first",
    "egress": "ask its owner whether it lets packets pass",
}


def check_interfaces(bpffs: Path) -> Iterator[Check]:
    """One line for each interface of this namespace, and one for each program of others."""
    features = xdp_features()
    attacher = Attacher(bpffs)
    with Ethtool() as ethtool:
        for link in links():
            told = None if features is None else features.get(link.index)
            trap = native_trap(link.name, link.driver)
            running = attacher.find(link.index, "xdp")
            mode = running.mode if running is not None and running.ours else None
            yield interface_check(link, ethtool.offloads(link.name), told, trap, mode)
            for other in attacher.occupants(link.index):
                yield _program(link.name, other)


def interface_check(
    link: LinkInfo,
    offloads: Offloads,
    features: XdpFeatures | None,
    trap: NativeTrap | None = None,
    attached: Mode | None = None,
) -> Check:
    """Driver, link type, MTU, offloads and modes, and which of them are in the way. `attached`: the
    mode of our program there."""
    name = f"interface {link.name}"
    about = [link.driver or link.kind or "no driver", link.link_type, f"MTU {link.mtu}"]
    if link.link_type not in ETHERNET:
        about.append("cannot be attached: no Ethernet header")
        return Check(name=name, status="pass", found=", ".join(about))
    if link.kind == "vrf":
        about.append("cannot be attached: a VRF device, packets pass its members")
        return Check(name=name, status="pass", found=", ".join(about))
    about += _offload_words(offloads)
    about.append(_mode_words(features, trap, attached))
    if link.kind == "veth" and attached == "native" and not peer_receives(link.index):
        about.append("answers no SYN (`cookie`): its peer has no native XDP program")
    problems = list(_problems(link, offloads, features, None if trap else attached))
    return Check(
        name=name,
        status="warn" if problems else "pass",
        found=", ".join(about),
        todo="; ".join(problems) or None,
    )


def _offload_words(offloads: Offloads) -> Iterator[str]:
    for name, value in (
        ("rxvlan", offloads.rxvlan),
        ("GRO", offloads.gro),
        ("LRO", offloads.lro),
    ):
        if value is not None:
            yield f"{name} {'on' if value else 'off'}"


def _mode_words(
    features: XdpFeatures | None, trap: NativeTrap | None, attached: Mode | None
) -> str:
    """What was seen to run, before what the driver says: it may refuse all the same."""
    if trap and (features is None or features.native):
        return f"takes XDP generic, tc; native is not to be used: {trap.reason}"
    if attached == "native":
        return "takes XDP native (attached), generic, tc"
    if attached == "generic":
        offered = " though the driver offers native" if features and features.native else ""
        return f"takes XDP generic (attached{offered}), tc"
    if features is None:
        return "takes XDP generic, native untold (`--mode auto` tries), tc"
    if features.native:
        return "driver offers XDP native (attaching tries it), takes generic, tc"
    return "takes XDP generic, tc"


def _problems(
    link: LinkInfo, offloads: Offloads, features: XdpFeatures | None, attached: Mode | None
) -> Iterator[str]:
    # A veth or a bridge carries tags beside the frame whatever its rxvlan says.
    physical = link.kind is None and link.link_type != "loopback"
    if physical and offloads.rxvlan:
        yield (
            f"XDP cannot see VLAN tags here: `ethtool -K {link.name} rxvlan off`,"
            " or attach rules with vlan at tc"
        )
    if attached == "generic" and features and features.native:
        yield (
            f"generic mode is slower: `xdpwall detach {link.name} --hook xdp`, then"
            f" `xdpwall attach {link.name} --mode native` says whether and why the driver refuses"
        )
    if offloads.lro:
        yield f"the card merges packets before XDP: `ethtool -K {link.name} lro off`"
    if features and features.native and not features.frags and link.mtu > ONE_BUFFER:
        yield f"native XDP may refuse MTU {link.mtu}: lower it, or use --mode generic"


def _program(iface: str, other: Occupant) -> Check:
    called = f"{other.words} of another owner"
    if other.bypasses_us:
        return Check(
            name=f"programs on {iface}",
            status="warn",
            found=f"{other.place}: ours may be bypassed by {called}, which runs before it",
            todo=_BYPASS_CURE[other.place.partition("-")[2]],
        )
    if other.place == "xdp":
        return Check(
            name=f"programs on {iface}",
            status="warn",
            found=f"xdp: {called}" + (f": {other.owner}" if other.owner else ""),
            todo=f"the place is taken: `xdpwall attach {iface} --hook tc` judges beside it what it"
            " passes, --replace puts ours in its place",
        )
    return Check(name=f"programs on {iface}", status="pass", found=f"{other.place}: {called}")
