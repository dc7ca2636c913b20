"""The addresses from which users are logged in: utmp(5), and where a system has none, systemd-logind."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

Address = IPv4Address | IPv6Address

UTMP = Path("/run/utmp")
LOGIND = Path("/run/systemd/sessions")
"""The files that libsystemd reads for who(1): NAME=VALUE lines, one file a session."""

_PROC = Path("/proc")
_USER_PROCESS = 7
# struct utmp: type, process; 68 bytes of line, id; user; host. What follows differs: times and the
# session have 32 bits where 64-bit programs share the file with 32-bit ones, as on x86.
_HEAD = struct.Struct("=hxxi36x32s256s")
_LAYOUTS = {384: 348, 400: 360}
"""Bytes of an entry, and at which of them the address begins."""


def logged_in_addresses(utmp: Path = UTMP, logind: Path = LOGIND) -> dict[Address, str]:
    """Address -> user, of remote logins whose process is alive. Files that cannot be read hold none."""
    found: dict[Address, str] = {}
    for address, user in (*_in_utmp(utmp), *_in_logind(logind)):
        found.setdefault(address, user)
    return found


def _in_utmp(path: Path) -> Iterator[tuple[Address, str]]:
    try:
        data = path.read_bytes()
    except OSError:
        return
    size = 400 if len(data) % 384 and not len(data) % 400 else 384
    for at in range(0, len(data) - size + 1, size):
        kind, process, user, host = _HEAD.unpack_from(data, at)
        if kind != _USER_PROCESS or not (_PROC / str(process)).exists():
            continue
        address = _address_in(data[at + _LAYOUTS[size] :][:16]) or _address(_text(host))
        if address is not None:
            yield address, _text(user)


def _in_logind(folder: Path) -> Iterator[tuple[Address, str]]:
    try:
        files = sorted(one for one in folder.iterdir() if "." not in one.name)
    except OSError:
        return
    for file in files:
        told: dict[str, str] = {}
        with suppress(OSError, UnicodeDecodeError):
            told = dict(line.partition("=")[::2] for line in file.read_text("utf-8").splitlines())
        if told.get("REMOTE") == "1" and told.get("STATE") != "closing":
            address = _address(told.get("REMOTE_HOST", ""))
            if address is not None:
                yield address, told.get("USER", "")


def _address_in(raw: bytes) -> Address | None:
    """Of an ut_addr_v6, in which an address of IPv4 is the first word alone."""
    if not any(raw):
        return None
    return ip_address(raw if any(raw[4:]) else raw[:4])


def _address(text: str) -> Address | None:
    """A host's first word, where it is an address: mosh writes more behind it."""
    try:
        address = ip_address((text.split() or [""])[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("utf-8", "replace")
