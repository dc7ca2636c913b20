"""Guards: what would cut the caller's own SSH session needs --force.

Which interface carries it is read from the session's addresses (SSH_CONNECTION of this process or,
since sudo drops it, of a parent) and the routing tables of this network namespace.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from xdpwall.errors import Refused, ServiceUnreachable, XdpwallError

from .options import Invocation, confirm_on_terminal, invocation
from .ssh_session import session_client
from .terminal.problems import print_warnings

if TYPE_CHECKING:
    from xdpwall.firewall.facade import Facade
    from xdpwall.ruleset.policy import Policy
    from xdpwall.values.terms import Direction, Hook
    from xdpwall.views.status import ApplyOutcome, PolicyOutcome

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_PROC = Path("/proc")


def guarded_client() -> str | None:
    """The client whose session the guards protect; None without a session, with --force, and with
    --confirm, since the kernel gives the session back."""
    asked = invocation.get()
    return None if asked.force or asked.confirm is not None else session_client()


def session_interfaces(client: str, firewall: Facade) -> set[str]:
    """The interface by which packets go to `client`, and the ports of it when it is a bridge."""
    name = route_interface(client)
    if name is None:
        return set()
    links = firewall.interfaces().interfaces
    return {name} | {link.name for link in links if link.master == name}


def route_interface(client: str) -> str | None:
    """The interface of the longest route to an address; None when there is none."""
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if address.is_loopback:
        return "lo"
    scope = client.partition("%")[2]
    if scope:
        return scope
    routes = _routes4() if address.version == 4 else _routes6()
    best = max(
        ((net.prefixlen, -metric, name) for net, metric, name in routes if address in net),
        default=None,
    )
    return best[2] if best else None


def guard_detach(
    firewall: Facade, iface: str | None, hook: Hook | None, direction: Direction | None
) -> None:
    """Refused when an attachment goes from the interface of the caller's session."""
    client = guarded_client()
    if client is None:
        return
    going = [
        a.iface
        for a in firewall.status().attachments
        if iface in (None, a.iface) and hook in (None, a.hook) and direction in (None, a.direction)
    ]
    if not going:
        return
    mine = sorted(session_interfaces(client, firewall) & set(going))
    if mine:
        raise _refused(f"{mine[0]} carries your SSH session from {client}: detach leaves it bare")


def guard_policy(
    firewall: Facade, policy: Policy | None, *, attaching: tuple[str, Direction] | None = None
) -> None:
    """Refused when a default drop would be in force on the interface of the caller's session.

    `policy` is the one to come, None where it cannot be read; `attaching` an interface and direction about to get the filter.
    With `attaching`, only that interface is looked at: the others have the policy already.
    """
    if policy is None or "drop" not in (policy.ingress, policy.egress):
        return
    client = guarded_client()
    if client is None:
        return
    if attaching is not None:
        dropping = {attaching[0]} if _drops(policy, attaching[1]) else set()
    else:
        there = firewall.status().attachments
        dropping = {a.iface for a in there if _drops(policy, a.direction)}
    mine = sorted(session_interfaces(client, firewall) & dropping)
    if mine:
        raise _refused(
            f"{mine[0]} carries your SSH session from {client}: a default drop may cut it"
        )


@contextmanager
def lenient_guard() -> Iterator[None]:
    """A guard of a way out: only what it finds holds back, not that it cannot look."""
    try:
        yield
    except (Refused, ServiceUnreachable):
        raise
    except XdpwallError as error:
        print_warnings(
            [f"whether this cuts your own session is not known: {error.message}"], invocation.get()
        )


def tell_losses(dry: PolicyOutcome | ApplyOutcome, asked: Invocation) -> list[str]:
    """Say what a dry run found before the switch, and ask on a terminal where rules are missing.

    Returns the warnings that were said.
    """
    print_warnings(dry.warnings, asked)
    if count := len(dry.missing_rules):
        what = "a rule is missing" if count == 1 else f"{count} rules are missing"
        confirm_on_terminal(f"{what}: drop these packets from now on?")
    return dry.warnings


def _drops(policy: Policy, direction: Direction) -> bool:
    return (policy.ingress if direction == "ingress" else policy.egress) == "drop"


def _refused(message: str) -> Refused:
    return Refused(
        message,
        code="ssh-session",
        hint="see that a rule accepts the session in both directions, then add --force",
    )


def _routes4() -> list[tuple[ipaddress.IPv4Network, int, str]]:
    routes = []
    for line in _lines("net/route")[1:]:
        name, target, _, flags, _, _, metric, mask, *_ = line.split()
        if int(flags, 16) & 0x200:  # RTF_REJECT
            continue
        address = int.from_bytes(bytes.fromhex(target), "little")
        length = int.from_bytes(bytes.fromhex(mask), "little").bit_count()
        routes.append((ipaddress.IPv4Network((address, length)), int(metric), name))
    return routes


def _routes6() -> list[tuple[ipaddress.IPv6Network, int, str]]:
    routes = []
    for line in _lines("net/ipv6_route"):
        target, length, _, _, _, metric, _, _, flags, name = line.split()
        if int(flags, 16) & 0x200:
            continue
        network = ipaddress.IPv6Network((int(target, 16), int(length, 16)))
        routes.append((network, int(metric, 16), name))
    return routes


def _lines(name: str) -> list[str]:
    try:
        return (_PROC / "thread-self" / name).read_text(encoding="ascii").splitlines()
    except OSError:
        return []
