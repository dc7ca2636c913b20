"""The network namespaces that can be found from here: by mounts, processes, descriptors and ids.

A namespace lives as long as a process is in it, or a mount, a descriptor or a socket refers to it.
The kernel lists them nowhere.
"""

from __future__ import annotations

import os
import re
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from .enter_netns import enter_netns
from .raw_rtnl import DUMP, ask, attributes

T = TypeVar("T")

_RTM_GETNSID, _NETNSA_NSID, _NETNSA_PID, _NETNSA_FD = (
    90,
    1,
    2,
    3,
)  # linux/rtnetlink.h, linux/net_namespace.h
_LINK = re.compile(r"net:\[(\d+)\]")
_OCTAL = re.compile(r"\\([0-7]{3})")
"""How a mount table spells blanks and the like in a path."""
_NAMED = ("/run/netns", "/var/run/netns")
"""Where `ip netns` keeps its mounts."""


@dataclass(frozen=True, slots=True)
class FoundNamespace:
    """A network namespace and a path by which it can be entered."""

    inode: int
    path: Path
    words: str
    """For people: "network namespace box", "network namespace 4026532281 (of process 812, sshd)"."""


def namespaces(*, thorough: bool = False) -> Iterator[FoundNamespace]:
    """Every namespace that a mount visible from here or a process holds, each once; this thread's own
    too. `thorough`: also those held by nothing but a thread, a descriptor or a mount of a process."""
    seen: set[int] = set()
    for found in _every(thorough):
        if found.inode not in seen:
            seen.add(found.inode)
            yield found


def run_in(path: Path, function: Callable[[], T]) -> T:
    """Run a function in a thread that has entered the namespace at `path`; OSError when it cannot."""
    done: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            enter_netns(path)
            done.append(function())
        except BaseException as error:  # noqa: BLE001 - raised again for the caller
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return done[0]


def known_ids() -> list[int]:
    """The ids that this thread's namespace has given to others, as to those that an interface was
    moved to, and not that of its own. OSError of the kernel."""
    found = []
    with open("/proc/thread-self/ns/net", "rb") as here:
        own = id_of_descriptor(here.fileno())
    for message in ask(_RTM_GETNSID, DUMP, struct.pack("=Bxxx", 0)):
        for kind, value in attributes(message[4:]):  # behind struct rtgenmsg
            if kind == _NETNSA_NSID:
                found.append(struct.unpack_from("=i", value)[0])
    return [one for one in found if one >= 0 and one != own]


def id_of_process(pid: int) -> int | None:
    """The id that this thread's namespace has given to that of a process of this pid namespace; None without
    one, for a process that has ended, and for one that is in this namespace."""
    return _given_id(_NETNSA_PID, pid)


def id_of_descriptor(fd: int) -> int | None:
    """The same for the namespace that an open file is of."""
    return _given_id(_NETNSA_FD, fd)


def _given_id(kind: int, value: int) -> int | None:
    body = struct.pack("=Bxxx", 0) + struct.pack("=HHI", 8, kind, value)
    try:
        (message,) = ask(_RTM_GETNSID, 0, body)
    except OSError:
        return None
    told = dict(attributes(message[4:])).get(_NETNSA_NSID)  # behind struct rtgenmsg
    found = -1 if told is None else int(struct.unpack_from("=i", told)[0])
    return found if found >= 0 else None


def _every(thorough: bool) -> Iterator[FoundNamespace]:
    yield from _mounted(Path("/proc/self"), Path("/"))
    processes = [path for path in Path("/proc").iterdir() if path.name.isdigit()]
    for process in processes:
        yield from _linked([process / "ns" / "net"], process)
    if not thorough:
        return
    mounts = set()
    for process in processes:
        with suppress(OSError):
            mount = os.readlink(process / "ns" / "mnt")
            if mount not in mounts:
                mounts.add(mount)
                yield from _mounted(process, process / "root")
        yield from _linked((one / "ns" / "net" for one in _inside(process / "task")), process)
        yield from _linked(_inside(process / "fd"), process)
        yield from _unmounted(process)


def _mounted(process: Path, root: Path) -> Iterator[FoundNamespace]:
    """Yield what the process has mounted below `root`."""
    try:
        table = (process / "mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in table.splitlines():
        fields = line.split()
        if match := _LINK.fullmatch(fields[3]):
            place = _OCTAL.sub(lambda digits: chr(int(digits[1], 8)), fields[4])
            path = root / place.lstrip("/")
            folder, _, name = place.rpartition("/")
            words = name if folder in _NAMED else f"{match[1]} (mounted at {path})"
            yield FoundNamespace(int(match[1]), path, f"network namespace {words}")


def _linked(paths: Iterable[Path], process: Path) -> Iterator[FoundNamespace]:
    """Yield what the links in a process's folder lead to."""
    for path in paths:
        try:
            match = _LINK.fullmatch(os.readlink(path))
        except OSError:
            continue
        if match:
            name = ""
            with suppress(OSError):
                name = ", " + (process / "comm").read_text(errors="replace").strip()
            of = f"of process {process.name}{name}"
            yield FoundNamespace(int(match[1]), path, f"network namespace {match[1]} ({of})")


def _unmounted(process: Path) -> Iterator[FoundNamespace]:
    """Yield what a descriptor holds whose mount has gone: its link says "/", not which namespace."""
    device = os.stat("/proc/self/ns/net").st_dev
    for path in _inside(process / "fd"):
        with suppress(OSError):
            if os.readlink(path) != "/":
                continue
            there = os.stat(path)
            if there.st_dev == device and path.is_file():
                words = f"network namespace {there.st_ino} (of process {process.name})"
                yield FoundNamespace(there.st_ino, path, words)


def _inside(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
