"""The two listening sockets: a unix socket for this host's users, and TCP: loopback, or with TLS."""

from __future__ import annotations

import contextlib
import errno
import grp
import ipaddress
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xdpwall.errors import Conflict, Failed, InvalidInput, NeedsPrivileges, XdpwallError
from xdpwall.settings import check_socket_path
from xdpwall.trusted import open_folder
from xdpwall.values.inputs import invalid

SOCKET_GROUP = "xdpwall"


@contextmanager
def unix_socket(path: Path) -> Iterator[socket.socket]:
    """A bound socket, 0660, of root and the group `xdpwall` where it exists; removed at the end.

    What a killed service left is cleared away; a socket that answers is another service's.
    """
    check_socket_path(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            os.close(open_folder(path.parent, make=0o755, shared=True))
            _clear_stale(path)
            _bind_private(listener, path)
            mine = os.lstat(path)
        except OSError as error:
            raise system_error(error, str(path)) from error
        try:
            _open_to_group(path)
            yield listener
        finally:
            _remove(path, mine)


@contextmanager
def tcp_socket(host: str, port: int, *, encrypted: bool = False) -> Iterator[socket.socket]:
    """A bound TCP socket, on a loopback address unless it is encrypted; port 0 takes a free one."""
    family, address = listen_address(host, encrypted=encrypted)
    # asyncio sets TCP_NODELAY only where the protocol is named. Without it the second half of each
    # answer waits 40 ms for the client's delayed acknowledgement of the first.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, port))
        except OSError as error:
            raise system_error(error, f"{host}:{port}") from error
        yield listener


def listen_address(host: str, *, encrypted: bool) -> tuple[socket.AddressFamily, str]:
    """Family and address. Without TLS tokens would cross a network in clear text: loopback only then."""
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
        if address.is_loopback or encrypted:
            family = socket.AF_INET if address.version == 4 else socket.AF_INET6
            return family, str(address)
    if encrypted:
        raise invalid("host", host, "is no address", "one to listen on: 0.0.0.0, ::, 192.0.2.1")
    raise InvalidInput(
        f"host: {host!r} is not a loopback address; wanted 127.0.0.1, ::1 or localhost",
        field="host",
        value=host,
        hint="elsewhere TLS is needed: [tls] in /etc/xdpwall/config.toml; or tunnel: "
        "ssh -L 8480:127.0.0.1:8480 HOST",
    )


def host_names(host: str) -> frozenset[str]:
    """The Host names that clients may send to a service that listens there without TLS."""
    family, address = listen_address(host, encrypted=False)
    return frozenset({"localhost", address if family == socket.AF_INET else f"[{address}]"})


def page_url(listener: socket.socket, *, encrypted: bool = False) -> str:
    """The page's address. Of a socket on every address it has this host's name."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host.partition("%")[0]).is_unspecified:
        host = socket.gethostname()
    return f"{'https' if encrypted else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/"


def _clear_stale(path: Path) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise Conflict(
            f"{path} is there and is not a socket",
            code="not-a-socket",
            hint="give another --socket",
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except TimeoutError:
            pass  # Its queue is full: somebody listens, however slowly.
    raise Conflict(
        f"a service listens on {path} already",
        code="already-running",
        hint="stop it, or give this one --state-dir, --bpffs and --socket of its own",
    )


def _bind_private(listener: socket.socket, path: Path) -> None:
    # Nobody may connect between bind and chown; the mode is opened only then.
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)


def _open_to_group(path: Path) -> None:
    with contextlib.suppress(KeyError, PermissionError):
        os.chown(path, -1, grp.getgrnam(SOCKET_GROUP).gr_gid)
    os.chmod(path, 0o660)


def _remove(path: Path, mine: os.stat_result) -> None:
    with contextlib.suppress(OSError):
        found = os.lstat(path)
        if (found.st_dev, found.st_ino) == (mine.st_dev, mine.st_ino):
            os.unlink(path)


def system_error(error: OSError, where: str) -> XdpwallError:
    """Translate the OSError of making or binding `where` into an error of the firewall."""
    if error.errno == errno.EADDRINUSE:
        return Conflict(
            f"{where} is in use", code="address-in-use", hint="give another --port, or 0 for any"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return NeedsPrivileges(
            f"{where}: permission denied", hint="run as root (sudo)", detail=str(error)
        )
    return Failed(f"{where}: {error.strerror}", detail=str(error))
