"""packaging/deb/left-behind: what the removal of the package says, and notes for a purge."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.paths import ROOT

SCRIPT = ROOT / "packaging/deb/left-behind"
ATTACHED = [
    {"iface": "eth0", "index": 2, "hook": "xdp", "direction": "ingress", "place": "xdp",
     "mode": "native", "program_id": 41},
    {"iface": "eth1", "index": 3, "hook": "xdp", "direction": "ingress", "place": "xdp",
     "mode": "generic", "program_id": 42},
    {"iface": "eth0", "index": 2, "hook": "tc", "direction": "egress", "place": "tc-egress",
     "program_id": 43},
    {"iface": "eth9", "index": 9, "hook": "xdp", "direction": "ingress", "place": "xdp",
     "state": "no interface"},
]  # fmt: skip


def left(note: Path, status: Any) -> str:
    """What is said after `status`."""
    done = subprocess.run(
        [sys.executable, "-I", SCRIPT, note],
        input=status if isinstance(status, str) else json.dumps(status),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == ""
    return done.stderr


def test_it_prints_the_command_for_each_program_and_notes_it(tmp_path: Path) -> None:
    note = tmp_path / "note"
    said = left(note, {"attachments": ATTACHED, "bpffs": "/sys/fs/bpf/xdpwall"})
    assert said.splitlines() == [
        "xdpwall: its programs go on judging packets. To take them off:",
        "    ip link set dev eth0 xdp off",
        "    ip link set dev eth1 xdpgeneric off",
        "    tc filter show dev eth0 egress",
        "    tc filter del dev eth0 egress pref N",
        "    rm -r /sys/fs/bpf/xdpwall",
    ]
    assert note.read_text().splitlines() == [
        "xdp eth0 2 41 native",
        "xdp eth1 3 42 generic",
        "tc-egress eth0 2 43 -",
    ]
    assert note.stat().st_mode & 0o777 == 0o600


def test_a_change_that_waits_is_noted(tmp_path: Path) -> None:
    note = tmp_path / "note"
    pending = {"revision": 7, "deadline": "2026-12-01T12:00:00Z"}
    left(note, {"attachments": ATTACHED[:1], "bpffs": "/sys/fs/bpf/xdpwall", "pending": pending})
    assert note.read_text().splitlines()[-1] == "pending"


def test_nothing_attached_leaves_no_word_and_no_note(tmp_path: Path) -> None:
    note = tmp_path / "note"
    note.write_text("xdp eth0 2 41 native\n")
    assert left(note, {"attachments": [], "bpffs": "/sys/fs/bpf/xdpwall"}) == ""
    assert not note.exists()


def test_without_an_answer_it_prints_the_commands_of_the_readme(tmp_path: Path) -> None:
    note = tmp_path / "note"
    said = left(note, "error: ...")
    assert not note.exists()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "\n".join(said.splitlines()[1:]) in readme


def test_a_note_is_never_written_through_a_link(tmp_path: Path) -> None:
    target, note = tmp_path / "target", tmp_path / "note"
    target.write_text("kept")
    note.symlink_to(target)
    left(note, {"attachments": ATTACHED, "bpffs": "/sys/fs/bpf/xdpwall"})
    assert target.read_text() == "kept"
    assert not note.is_symlink()
