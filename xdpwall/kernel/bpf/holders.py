"""What keeps a program alive besides its hook: pins in a bpffs, and descriptors of processes."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .libbpf import lib

_MOST_PINS = 20_000
"""Pins that are looked at: a minute of somebody's map pins must not become ours (10 us each)."""
_KINDS = ("anon_inode:bpf-prog", "anon_inode:bpf_link")


@dataclass(frozen=True, slots=True)
class Holders:
    """Who holds a program, itself or a link to it, as far as this process may see."""

    pins: tuple[Path, ...] = ()
    processes: tuple[tuple[int, str], ...] = ()
    """(pid, command name), first the lowest pid; this process is not among them."""


def all_holders() -> dict[int, Holders]:
    """The holders of every program that something holds, by its id: every bpffs of this mount namespace and
    the descriptors of every process are looked at.

    Takes milliseconds, on a host of many processes a second: not for a loop.
    """
    pins: dict[int, list[Path]] = defaultdict(list)
    processes: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for path, held in _pinned():
        pins[held].append(path)
    for pid, name, held in _processes():
        processes[held].append((pid, name))
    return {
        one: Holders(tuple(sorted(pins[one])), tuple(processes[one]))
        for one in pins.keys() | processes.keys()
    }


def pinned_programs(folder: Path) -> dict[Path, int]:
    """The program's id for every pin of a program or of a link to one right in `folder`."""
    with suppress(OSError):
        paths = sorted(one for one in folder.iterdir() if one.is_file())
        return {path: held for path in paths if (held := _pinned_program(path)) is not None}
    return {}


def _pinned() -> Iterator[tuple[Path, int]]:
    looked_at = 0
    for mount in _bpffs_mounts():
        for top, folders, names in os.walk(mount):
            folders.sort()
            for name in names:
                looked_at += 1
                if looked_at > _MOST_PINS:
                    return
                path = Path(top, name)
                if (held := _pinned_program(path)) is not None:
                    yield path, held


def _bpffs_mounts() -> list[str]:
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as lines:
        mounts = [line.split() for line in lines]
    # One may be mounted over another: by its path only the upper one is seen.
    return sorted(
        {one[1].replace("\\040", " ") for one in mounts if len(one) > 2 and one[2] == "bpf"}
    )


def _pinned_program(path: Path) -> int | None:
    descriptor = lib().bpf_obj_get(os.fsencode(path))
    if descriptor < 0:
        return None
    try:
        return _program_of(f"/proc/self/fdinfo/{descriptor}")
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _processes() -> Iterator[tuple[int, str, int]]:
    """(pid, command name, program's id), each once."""
    own = os.getpid()
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdecimal()):
        # A process that ends meanwhile, or is not ours to look into, tells nothing.
        with suppress(OSError):
            if pid != own and (held := set(_held_by(pid))):
                name = Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").strip()
                yield from ((pid, name, one) for one in sorted(held))


def _held_by(pid: int) -> Iterator[int]:
    folder = f"/proc/{pid}/fd"
    for number in os.listdir(folder):
        with suppress(OSError):
            if os.readlink(f"{folder}/{number}") in _KINDS:
                held = _program_of(f"/proc/{pid}/fdinfo/{number}")
                if held is not None:
                    yield held


def _program_of(fdinfo: str) -> int | None:
    """The line `prog_id` of a descriptor of a program, or of a link; None for another object."""
    with open(fdinfo, encoding="ascii", errors="replace") as lines:
        for line in lines:
            name, _, value = line.partition(":")
            if name == "prog_id":
                return int(value)
    return None
