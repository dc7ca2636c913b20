"""The sockets that the service listens on: handed over by systemd (socket activation), or its own.

systemd keeps a socket while the service is stopped or starts anew, so that nobody else can bind its port and
be sent the token. sd_listen_fds(3) has the protocol: descriptors from 3 on, LISTEN_FDS of them, for the
process LISTEN_PID.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from xdpwall.api.serving.listen import host_names, tcp_socket, unix_socket
from xdpwall.api.serving.tls import TlsSettings
from xdpwall.errors import InvalidInput

FIRST_DESCRIPTOR = 3  # SD_LISTEN_FDS_START of sd_listen_fds(3)
_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


@dataclass(frozen=True, slots=True)
class Listeners:
    """The listening sockets. Whether a request came by `local` or by `tcp` decides whom it is from."""

    local: socket.socket
    tcp: socket.socket
    hosts: frozenset[str] | None
    """The Host names that clients may send over TCP; None, with TLS, is any."""


@contextmanager
def open_listeners(
    path: Path,
    host: str,
    port: int,
    environ: MutableMapping[str, str] = os.environ,
    *,
    tls: TlsSettings | None = None,
) -> Iterator[Listeners]:
    """Take the sockets that systemd hands over, and make those that it does not.

    InvalidInput for a handed-over socket that is not one of these: a unix stream socket at `path`, a TCP
    socket on a loopback address, or on any with `tls`. What systemd made is not removed at the end.
    """
    with ExitStack() as opened:
        local, tcp = _handed_over(opened, path, environ, encrypted=tls is not None)
        if tcp is not None:
            host = tcp.getsockname()[0]
        names = host_names(host) if tls is None else tls.names
        if local is None:
            local = opened.enter_context(unix_socket(path))
        if tcp is None:
            tcp = opened.enter_context(tcp_socket(host, port, encrypted=tls is not None))
        yield Listeners(local, tcp, names)


def _handed_over(
    opened: ExitStack, path: Path, environ: MutableMapping[str, str], *, encrypted: bool
) -> tuple[socket.socket | None, socket.socket | None]:
    """The unix and the TCP socket that were handed over; children of this process inherit neither."""
    told = {name: environ.pop(name, "") for name in _VARIABLES}
    if told["LISTEN_PID"] != str(os.getpid()) or not told["LISTEN_FDS"].isdigit():
        return None, None
    local: socket.socket | None = None
    tcp: socket.socket | None = None
    for fd in range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + int(told["LISTEN_FDS"])):
        os.set_inheritable(fd, False)
        try:
            one = opened.enter_context(socket.socket(fileno=fd))
        except OSError as error:
            raise _unfit(f"descriptor {fd} is no socket", "a [Socket] unit") from error
        if one.type != socket.SOCK_STREAM:
            raise _unfit(f"descriptor {fd} is no stream socket", "ListenStream=")
        if one.family == socket.AF_UNIX and local is None:
            local = _checked_local(one, path)
        elif one.family in (socket.AF_INET, socket.AF_INET6) and tcp is None:
            tcp = one if encrypted else _checked_tcp(one)
        else:
            raise _unfit(
                f"descriptor {fd} is one socket more than are used",
                "at most one ListenStream= for a path and one for an address",
            )
    return local, tcp


def _checked_local(one: socket.socket, path: Path) -> socket.socket:
    name = one.getsockname()
    if name != str(path):
        raise _unfit(f"the unix socket {name!r}", f"ListenStream={path}, as the setting `socket`")
    return one


def _checked_tcp(one: socket.socket) -> socket.socket:
    address, port = one.getsockname()[:2]
    if not ipaddress.ip_address(address.partition("%")[0]).is_loopback:
        raise _unfit(
            f"the TCP socket {address}:{port}", "ListenStream=127.0.0.1:8480 or [::1]:8480, or TLS"
        )
    return one


def _unfit(what: str, wanted: str) -> InvalidInput:
    return InvalidInput(
        f"socket activation: systemd handed over {what}; wanted {wanted}",
        field="LISTEN_FDS",
        hint="put it right in xdpwall.socket, then systemctl daemon-reload and restart it",
    )
