"""The pinned programs of an instance: what "ours" means, and which attachment each belongs to.

A program is pinned as <interface index>-<place> (names of interfaces may hold dots, which a bpffs
refuses). While it is being put in place it is <index>-<place>-next: after a crash the kernel says
whether it got there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

from xdpwall.errors import NotFound
from xdpwall.kernel.bpf import bpffs
from xdpwall.kernel.bpf.programs import Program
from xdpwall.values.terms import Place

_NAME = re.compile(r"(\d+)-(xdp|tc-ingress|tc-egress)(-next)?")


class Pins:
    """The folder of pinned programs; it is made by the first `put`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, index: int, place: Place, *, coming: bool = False) -> Path:
        """Where an attachment's program is pinned, or the one about to take its place."""
        return self.folder / f"{index}-{place}{'-next' if coming else ''}"

    def ids(self) -> frozenset[int]:
        """The ids of every program that is ours, those about to be attached included."""
        found = set()
        for name in bpffs.names(self.folder):
            try:
                with Program.open_pinned(self.folder / name) as program:
                    found.add(program.id)
            except NotFound:  # let go by another process since the listing
                continue
        return frozenset(found)

    def open(self, program_id: int) -> Program | None:
        """Our program of that id, or None when it is not ours."""
        for name in bpffs.names(self.folder):
            try:
                program = Program.open_pinned(self.folder / name)
            except NotFound:
                continue
            if program.id == program_id:
                return program
            program.close()
        return None

    def entries(self) -> list[tuple[int, Place]]:
        """(interface index, place) of everything pinned, sorted."""
        found = set()
        for name in bpffs.names(self.folder):
            if match := _NAME.fullmatch(name):
                found.add((int(match[1]), cast(Place, match[2])))
        return sorted(found)

    def put(self, program: Program, index: int, place: Place) -> None:
        """Pin a program that is about to be attached."""
        bpffs.ensure_mounted(self.folder)
        coming = self.path(index, place, coming=True)
        bpffs.unlink(coming)
        program.pin(coming)

    def arrived(self, index: int, place: Place) -> None:
        """The program that was about to be attached is: it takes the old one's pin."""
        bpffs.rename(self.path(index, place, coming=True), self.path(index, place))

    def failed(self, index: int, place: Place) -> None:
        """The program that was about to be attached is not: let it go."""
        bpffs.unlink(self.path(index, place, coming=True))

    def drop(self, index: int, place: Place) -> None:
        """Let go of everything pinned for an attachment."""
        bpffs.unlink(self.path(index, place, coming=True))
        bpffs.unlink(self.path(index, place))

    def settle(self, index: int, place: Place, attached_id: int | None) -> None:
        """End what a crash left half-way, by what the kernel says is attached."""
        try:
            with Program.open_pinned(self.path(index, place, coming=True)) as program:
                there = program.id == attached_id
        except NotFound:
            return
        if there:
            self.arrived(index, place)
        else:
            self.failed(index, place)
