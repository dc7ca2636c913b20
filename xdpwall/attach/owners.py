"""Whose a program on a hook is that is not ours: a pin, a process, or libxdp's dispatcher tell."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from xdpwall.errors import Conflict
from xdpwall.kernel.bpf.holders import Holders, all_holders, pinned_programs
from xdpwall.values.inputs import first_few

from .hooks import HookProgram, program_name

DISPATCHER = "xdp_dispatcher"
"""The name of the program by which libxdp runs several on one interface (xdp-tools,
lib/libxdp/protocol.org)."""
_FOLDER = re.compile(r"dispatch-(\d+)-(\d+)")
"""Where libxdp keeps what its dispatcher runs: the interface's index and the dispatcher's id."""
_PART = re.compile(r"prog\d+-prog")
_HOMES = (Path("/sys/fs/bpf/xdp"), Path("/run/bpf/xdp"))
_SERVES = 60.0
"""Seconds that a search serves: status is asked every second, and a search looks at every descriptor of
the host."""
_NAMED = 3
"""Pins, processes and programs that are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class Owner:
    """What is known of a program's owner."""

    words: str
    """ "libxdp's dispatcher, which runs xdpfilt_alw_tcp", "pinned at /sys/fs/bpf/x, held by process 7
    (loader)"."""
    dispatcher: bool


class Owners:
    """Finds owners by one search over all pins and processes, which serves questions for a minute."""

    def __init__(self) -> None:
        self._found: dict[int, Holders] = {}
        self._searched: float | None = None

    def of(self, program_id: int, name: str | None) -> Owner | None:
        """Whose the program of that name is; None when nothing that this process may see holds it: it
        lives by its hook alone."""
        if name == DISPATCHER:
            return Owner(_dispatcher_words(program_id), dispatcher=True)
        now = time.monotonic()
        if self._searched is None or now - self._searched > _SERVES:
            self._found, self._searched = all_holders(), now
        words = _holder_words(self._found.get(program_id, Holders()))
        return Owner(words, dispatcher=False) if words else None


def occupied(iface: str, current: HookProgram) -> Conflict:
    """Make the refusal to attach where another owner's XDP program is, and say what can be done."""
    name = program_name(current.program_id)
    called = f"{name!r} (id {current.program_id})" if name else f"id {current.program_id}"
    owner = Owners().of(current.program_id, name)
    told = f"; {owner.words}" if owner else ""
    beside = f"`xdpwall attach {iface} --hook tc` judges beside it what it passes"
    if owner and owner.dispatcher:
        more = f"; --replace takes off all that it runs (`xdp-loader status {iface}` lists them)"
    else:
        more = (
            "; --replace puts ours in its place;"
            f" `bpftool prog show id {current.program_id}` tells more"
        )
    return Conflict(
        f"{iface} already has another owner's XDP program: {called},"
        f" {current.mode or 'offloaded'}{told}",
        code="occupied",
        field="iface",
        value=iface,
        hint=beside + more,
    )


def _dispatcher_words(program_id: int) -> str:
    parts = [
        program_name(held) or f"program {held}"
        for home in _HOMES
        for folder in _folders(home)
        if (told := _FOLDER.fullmatch(folder.name)) and int(told[2]) == program_id
        for path, held in pinned_programs(folder).items()
        if _PART.fullmatch(path.name)
    ]
    said = "libxdp's dispatcher"
    return f"{said}, which runs {first_few(parts, _NAMED)}" if parts else said


def _folders(home: Path) -> list[Path]:
    try:
        return sorted(home.iterdir())
    except OSError:
        return []


def _holder_words(holders: Holders) -> str:
    said = []
    if holders.pins:
        said.append(f"pinned at {first_few([str(one) for one in holders.pins], _NAMED)}")
    if holders.processes:
        named = [f"{pid} ({name})" for pid, name in holders.processes]
        said.append(f"held by process{'es' if len(named) > 1 else ''} {first_few(named, _NAMED)}")
    return ", ".join(said)
