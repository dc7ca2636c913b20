"""The addresses from which users are logged in, by utmp and by logind."""

from __future__ import annotations

import os
import struct
from ipaddress import ip_address
from pathlib import Path

import pytest

from xdpwall.kernel.logins import logged_in_addresses

USER, DEAD = 7, 8
GONE = 2**22 + 1
"""No process has this number: /proc/sys/kernel/pid_max is lower."""


def entry(
    size: int, kind: int, process: int, host: str = "", address: str = "", user: str = "ann"
) -> bytes:
    """A struct utmp as glibc writes it, of 384 bytes (x86) or 400 (aarch64)."""
    head = struct.pack(
        "=hxxi32s4s32s256s", kind, process, b"pts/0", b"ts/0", user.encode(), host.encode()
    )
    middle = struct.pack("=hhiii" if size == 384 else "=hhqqq", 0, 0, 0, 1, 2)
    raw = ip_address(address).packed if address else b""
    return (head + middle + raw).ljust(size, b"\0")


@pytest.mark.parametrize("size", [384, 400])
def test_utmp(tmp_path: Path, size: int) -> None:
    mine = os.getpid()
    entries = [
        entry(size, USER, mine, "gate.example", "192.0.2.7"),
        entry(size, USER, mine, "2001:db8::7", "2001:db8::7", "bob"),
        entry(size, USER, mine, "192.0.2.8 via mosh [12]"),
        entry(size, USER, mine, ":0"),
        entry(size, USER, mine, "tmux(77).%0"),
        entry(size, USER, GONE, "192.0.2.9", "192.0.2.9"),
        entry(size, DEAD, mine, "192.0.2.10", "192.0.2.10"),
    ]
    utmp = tmp_path / "utmp"
    # As many as make the length of the file tell the size of an entry.
    utmp.write_bytes(b"".join(entries))
    assert logged_in_addresses(utmp, tmp_path / "none") == {
        ip_address("192.0.2.7"): "ann",
        ip_address("2001:db8::7"): "bob",
        ip_address("192.0.2.8"): "ann",
    }


def test_logind(tmp_path: Path) -> None:
    folder = tmp_path / "sessions"
    folder.mkdir()
    for name, lines in {
        "1": "UID=0\nUSER=ann\nREMOTE=1\nREMOTE_HOST=192.0.2.7\nSTATE=active\n",
        "2": "USER=bob\nREMOTE=1\nREMOTE_HOST=host.example\nSTATE=active\n",
        "3": "USER=eve\nREMOTE=1\nREMOTE_HOST=192.0.2.8\nSTATE=closing\n",
        "4": "USER=eve\nREMOTE=0\nSTATE=active\n",
        "4.ref": "",
    }.items():
        (folder / name).write_text(lines)
    found = logged_in_addresses(tmp_path / "none", folder)
    assert found == {ip_address("192.0.2.7"): "ann"}


def test_there_may_be_neither(tmp_path: Path) -> None:
    assert logged_in_addresses(tmp_path / "none", tmp_path / "none") == {}
    (tmp_path / "utmp").write_bytes(b"\0" * 100)
    assert logged_in_addresses(tmp_path / "utmp", tmp_path / "none") == {}
