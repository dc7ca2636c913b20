"""An rtnetlink socket, and its errors as ours.

pyroute2 takes 0.2 to 0.4 s to import, so it is imported when the first socket is opened.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from typing import Any

from xdpwall.errors import Conflict, Failed, NeedsPrivileges, NotFound, Unsupported, XdpwallError

_CANNOT = {
    errno.EOPNOTSUPP,
    errno.ENOTSUP,
    errno.EINVAL,
    errno.ERANGE,
    errno.E2BIG,
    errno.ENOSYS,
    errno.EAFNOSUPPORT,
    errno.EFBIG,
    errno.EMSGSIZE,
}


@contextlib.contextmanager
def rtnl_socket(doing: str) -> Iterator[Any]:
    """An open pyroute2 IPRoute in this thread's network namespace.

    `doing` begins the message of an error: "attach to eth0: " and the kernel's words.
    """
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        # ext_ack: the kernel's own sentence beside the errno.
        with IPRoute(ext_ack=True) as ip:
            yield ip
    except NetlinkError as error:
        raise netlink_error(error.code, str(error.args[1]), doing) from error
    except OSError as error:
        raise netlink_error(error.errno or 0, error.strerror or str(error), doing) from error


def netlink_error(code: int, text: str, doing: str) -> XdpwallError:
    """The error for an errno: what was being done, the kernel's words `text`, and a hint."""
    message = f"{doing}: {text}"
    detail = f"errno {code} ({errno.errorcode.get(code, '?')}): {os.strerror(code)}"
    if code in (errno.EPERM, errno.EACCES):
        return NeedsPrivileges(
            message, hint="run as root, or with CAP_NET_ADMIN and CAP_BPF", detail=detail
        )
    if code in (errno.ENODEV, errno.ENXIO):
        return NotFound(
            f"{doing}: no such interface",
            code="no-interface",
            hint="`ip link` lists the interfaces of this network namespace",
            detail=detail,
        )
    if code == errno.EBUSY:
        return Conflict(message, code="occupied", detail=detail)
    if code == errno.EEXIST:
        return Conflict(message, code="exists", detail=detail)
    if code == errno.ENOENT:
        return NotFound(message, detail=detail)
    if code in _CANNOT:
        return Unsupported(message, detail=detail)
    return Failed(message, detail=detail)


def interface_name(index: int) -> str:
    """The interface's name for a message, or "interface 7" when it has gone."""
    try:
        return socket.if_indextoname(index)
    except OSError:
        return f"interface {index}"
