"""From errno to our errors, by one table, so that the same failure always reads the same."""

from __future__ import annotations

import errno
import os

from xdpwall.errors import (
    Conflict,
    Failed,
    Full,
    NeedsPrivileges,
    NotFound,
    Unsupported,
    XdpwallError,
)

ENOTSUPP = 524  # the kernel's own "not supported"; libc has no name for it

_ROOT_HINT = "run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"
_FILES_HINT = (
    "this process has as many files open as it may (ulimit -n; LimitNOFILE= of a unit); `xdpwall off` "
    "and `xdpwall detach` need the fewest"
)
_CLASSES: dict[int, tuple[type[XdpwallError], str | None]] = {
    errno.EPERM: (NeedsPrivileges, _ROOT_HINT),
    errno.EACCES: (NeedsPrivileges, _ROOT_HINT),
    errno.E2BIG: (Full, None),
    errno.ENOMEM: (Full, "the kernel or this control group has no memory left for it"),
    errno.ENOSPC: (Full, None),
    errno.EMFILE: (Failed, _FILES_HINT),
    errno.ENFILE: (Failed, "the machine has as many files open as it may: sysctl fs.file-max"),
    errno.EROFS: (Failed, "the file system is mounted read-only; see `findmnt -T PATH`"),
    errno.ENOENT: (NotFound, None),
    errno.EBUSY: (Conflict, None),
    errno.EEXIST: (Conflict, None),
    errno.EOPNOTSUPP: (Unsupported, "see `xdpwall doctor` for what this kernel can do"),
    ENOTSUPP: (Unsupported, "see `xdpwall doctor` for what this kernel can do"),
    errno.ENOSYS: (Unsupported, "see `xdpwall doctor` for what this kernel can do"),
}


def describe(number: int) -> str:
    """`E2BIG (7): Argument list too long`, for `detail`."""
    if number == ENOTSUPP:
        return "ENOTSUPP (524): Operation is not supported"
    return f"{errno.errorcode.get(number, 'errno')} ({number}): {os.strerror(number)}"


def os_error(
    number: int, message: str, *, hint: str | None = None, more: str | None = None
) -> XdpwallError:
    """The error for errno `number` (positive). `hint` overrides the table's; `more` goes below
    the errno in `detail`. Where only the errno tells why, its words end the message."""
    kind, usual = _CLASSES.get(number, (Failed, None))
    detail = describe(number)
    if kind is Failed and message:  # the others' classes and words say why
        message = f"{message}: {os.strerror(number)}"
    return kind(message, hint=hint or usual, detail=f"{detail}\n{more}" if more else detail)
