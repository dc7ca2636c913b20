"""The pinned programs of an instance; a program is ours when it has a pin here.

A program is pinned as <ifindex>-<place> (names of interfaces may hold dots, which a bpffs refuses).
While it is being attached it is pinned as <ifindex>-<place>-next: after a crash the kernel says
whether it was. <ifindex>-stand-in is a filter that judges while XDP is off (stand_in.py).
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal, cast

from xdpwall.errors import NotFound
from xdpwall.kernel.bpf import bpffs
from xdpwall.kernel.bpf.pin_folder import PinFolder
from xdpwall.kernel.bpf.programs import Program
from xdpwall.values.terms import Place

PinPlace = Place | Literal["stand-in"]
_NAME = re.compile(r"(\d+)-(xdp|tc-ingress|tc-egress)(-next)?")
_SECONDS_TO_GO = 1.0
"""In which the kernel frees a program that nothing holds: it waits for a grace period or two."""
_STAND_IN = re.compile(r"(\d+)-stand-in(-next)?")


class Pins:
    """The folder of pinned programs; it is made by the first `pin_next`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._listing = PinFolder(folder)
        self._listed: dict[str, int] | None = None
        """The listing that `_programs` is of."""
        self._programs: dict[str, int] = {}
        """By name: the id of the program."""
        self._ids = self._all_ids = frozenset[int]()
        self._by_inode: dict[int, int] = {}
        """The same by inode: a name may become that of another program."""

    def path(self, index: int, place: PinPlace, *, pending: bool = False) -> Path:
        """The pin of an attachment's program, or of the one being attached."""
        return self.folder / f"{index}-{place}{'-next' if pending else ''}"

    def ids(self) -> frozenset[int]:
        """The ids of the programs of all attachments, those being attached included."""
        self._known()
        return self._ids

    def all_ids(self) -> frozenset[int]:
        """The ids of all our programs, stand-ins included."""
        self._known()
        return self._all_ids

    def stand_ins(self) -> list[int]:
        """The ifindex of every interface on which a program stands in, sorted."""
        names = self._listing.inodes()
        return sorted({int(m[1]) for name in names if (m := _STAND_IN.fullmatch(name))})

    def _known(self) -> dict[str, int]:
        """The id of each pinned program; one that was known is not opened again."""
        listed = self._listing.inodes()
        if self._listed is not listed:
            found = {}
            for name, inode in listed.items():
                known = self._by_inode.get(inode)
                if known is None:
                    with suppress(NotFound), Program.open_pinned(self.folder / name) as program:
                        known = program.id
                if known is not None:  # else it was unpinned by another process since the listing
                    found[name] = known
            self._listed, self._programs = listed, found
            self._all_ids = frozenset(found.values())
            self._ids = frozenset(
                one for name, one in found.items() if not _STAND_IN.fullmatch(name)
            )
            self._by_inode = {listed[name]: one for name, one in found.items()}
        return self._programs

    def is_shared(self, program_id: int) -> bool:
        """Whether several attachments have this program: where it is found says nothing of one of them."""
        return len(self._names_of(program_id)) > 1

    def open(self, program_id: int) -> Program | None:
        """Our program of that id, or None when it is not ours."""
        for name in self._names_of(program_id):
            try:
                program = Program.open_pinned(self.folder / name)
            except NotFound:
                continue
            if program.id == program_id:
                return program
            program.close()
        return None

    def open_attached(self, index: int, place: PinPlace) -> Program | None:
        """The program pinned for an attachment, or None."""
        try:
            return Program.open_pinned(self.path(index, place))
        except NotFound:
            return None

    def entries(self) -> list[tuple[int, Place]]:
        """(ifindex, place) of every pinned program, sorted."""
        found = set()
        for name in bpffs.pin_names(self.folder):
            if match := _NAME.fullmatch(name):
                found.add((int(match[1]), cast(Place, match[2])))
        return sorted(found)

    def pin_next(self, program: Program, index: int, place: PinPlace) -> None:
        """Pin a program before it is attached."""
        bpffs.ensure_mounted(self.folder)
        path = self.path(index, place, pending=True)
        bpffs.unlink(path)
        program.pin(path)

    def confirm_next(self, index: int, place: PinPlace) -> None:
        """The program was attached: its pin replaces that of the former one."""
        bpffs.rename(self.path(index, place, pending=True), self.path(index, place))

    def discard_next(self, index: int, place: PinPlace) -> None:
        """The program was not attached: unpin it."""
        bpffs.unlink(self.path(index, place, pending=True))

    def attached_ids(self, index: int, place: PinPlace) -> list[int]:
        """The ids of the programs that are pinned for an attachment: at most the one in place and the
        next."""
        found = []
        for pending in (False, True):
            path = self.path(index, place, pending=pending)
            with suppress(NotFound), Program.open_pinned(path) as program:
                found.append(program.id)
        return found

    def claim(self, index: int, place: Place, program_id: int) -> None:
        """Move the pin of the program that is in place to this attachment, from that of another index:
        an interface may come back from another network namespace with another one."""
        wanted = self.path(index, place)
        names = self._names_of(program_id)
        if not names or wanted.name in names:
            return
        if self.is_shared(program_id):
            with Program.open_pinned(self.folder / names[0]) as program:
                bpffs.unlink(wanted)
                program.pin(wanted)
        else:
            bpffs.rename(self.folder / names[0], wanted)

    def release(self, program_id: int) -> bool:
        """Unpin a program that is found nowhere. False, and it is pinned again, when the kernel keeps
        it all the same: something holds it, which may be a hook."""
        names = self._names_of(program_id)
        Program.open_id(program_id).close()  # who may not ask for it could not pin it again
        for name in names:
            bpffs.unlink(self.folder / name)
        deadline = time.monotonic() + _SECONDS_TO_GO
        while time.monotonic() < deadline:
            try:
                Program.open_id(program_id).close()
            except NotFound:
                return True
            time.sleep(0.002)
        with suppress(NotFound), Program.open_id(program_id) as program:
            program.pin(self.folder / names[0])
            return False
        return True

    def _names_of(self, program_id: int) -> list[str]:
        return [name for name, one in self._known().items() if one == program_id]

    def drop(self, index: int, place: PinPlace) -> None:
        """Remove both pins of an attachment."""
        bpffs.unlink(self.path(index, place, pending=True))
        bpffs.unlink(self.path(index, place))

    def finish_move(self, index: int, place: PinPlace, attached_id: int | None) -> None:
        """Confirm or discard a pin that a crash left, by the id of the attached program."""
        try:
            with Program.open_pinned(self.path(index, place, pending=True)) as program:
                there = program.id == attached_id
        except NotFound:
            return
        if there:
            self.confirm_next(index, place)
        else:
            self.discard_next(index, place)
