"""The TCP connection by which somebody works on this host. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class LoginSession:
    """One connection, as this host sees it."""

    peer: Address
    """A link-local one may have its interface as scope."""
    peer_port: int
    local: Address
    local_port: int

    @property
    def text(self) -> str:
        """As SSH_CONNECTION has it."""
        return f"{self.peer} {self.peer_port} {self.local} {self.local_port}"


def read_session(text: str) -> LoginSession | None:
    """Read what sshd puts into SSH_CONNECTION; None where it is something else."""
    words = text.split()
    if len(words) != 4:
        return None
    try:
        peer, peer_port, local, local_port = (
            plain_address(words[0]),
            int(words[1]),
            plain_address(words[2]),
            int(words[3]),
        )
    except ValueError:
        return None
    if peer.version != local.version:
        return None
    if not (0 < peer_port < 1 << 16 and 0 < local_port < 1 << 16):
        return None
    return LoginSession(peer, peer_port, local, local_port)


def plain_address(text: str) -> Address:
    """Read an address; one of IPv4 in IPv6's clothes (RFC 4291, 2.5.5.2) is one of IPv4. ValueError."""
    address = ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address
