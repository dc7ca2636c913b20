"""Whose a program is that is not ours: by its pins, its processes, and libxdp's folders."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kernel.tinybpf import tiny
from tests.support.net.netns import Lab
from tests.support.net.tcx import attached_tcx
from xdpwall.attach.hooks import HookProgram
from xdpwall.attach.owners import DISPATCHER, Owners, occupied
from xdpwall.kernel.bpf.bpffs import ensure_mounted
from xdpwall.kernel.bpf.holders import all_holders
from xdpwall.kernel.bpf.programs import Program


@contextlib.contextmanager
def holding(fd: int) -> Iterator[int]:
    """A process that has got the descriptor and holds nothing else of it; its pid."""
    code = "import sys; print('ready', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[fd],
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
        process.stdin.close()


def test_pins_and_processes_are_found(lab: Lab) -> None:
    folder = ensure_mounted(lab.bpffs / "theirs" / "deep")
    with tiny("xdp_other") as program, tiny("xdp_pass") as free:
        program.pin(folder / "one")
        with holding(program.fileno()) as pid:
            found = all_holders()
            assert found[program.id].pins == (folder / "one",)
            assert [one for one, _ in found[program.id].processes] == [pid]
            assert free.id not in found  # this process's own descriptor is no owner
            told = Owners().of(program.id, "xdp_other")
            assert told is not None and not told.dispatcher
            assert told.words.startswith(f"pinned at {folder / 'one'}, held by process {pid} (")
        assert Owners().of(free.id, "xdp_pass") is None


@pytest.mark.parametrize("hook", ["xdp", "ingress"])
def test_a_link_holds_its_program(lab: Lab, hook: str) -> None:
    host, _ = lab.pair()
    name = "xdp_other" if hook == "xdp" else "tc_ok"
    with host.inside(), tiny(name) as program:
        number = program.id
        with attached_tcx(host.index("v0"), hook, program):
            before = set(os.listdir("/proc/self/fd"))
            assert number not in all_holders()
            assert set(os.listdir("/proc/self/fd")) == before


def test_a_search_serves_the_next_questions(lab: Lab) -> None:
    folder = ensure_mounted(lab.bpffs / "theirs")
    owners = Owners()
    with tiny("xdp_other") as program:
        assert owners.of(program.id, "xdp_other") is None
        program.pin(folder / "one")
        assert owners.of(program.id, "xdp_other") is None  # found by the next search
        assert Owners().of(program.id, "xdp_other") is not None


def test_libxdps_dispatcher_is_told_with_what_it_runs(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = ensure_mounted(lab.bpffs / "xdp")
    monkeypatch.setattr("xdpwall.attach.owners._HOMES", (home, Path("/nowhere")))
    with tiny(DISPATCHER) as dispatcher, tiny("xdp_pass") as first, tiny("xdp_drop") as second:
        for number, part in ((0, first), (1, second)):
            ensure_mounted(home / f"dispatch-7-{dispatcher.id}")
            part.pin(home / f"dispatch-7-{dispatcher.id}" / f"prog{number}-prog")
        told = Owners().of(dispatcher.id, DISPATCHER)
        assert told is not None and told.dispatcher
        assert told.words == "libxdp's dispatcher, which runs xdp_pass, xdp_drop"
        refusal = occupied("eth1", HookProgram(dispatcher.id, "native", ours=False))
        assert "libxdp's dispatcher, which runs xdp_pass, xdp_drop" in refusal.message
        assert refusal.hint is not None
        assert "xdpwall attach eth1 --hook tc" in refusal.hint
        assert "xdp-loader status eth1" in refusal.hint


def test_other_pins_are_passed_over(lab: Lab) -> None:
    folder = ensure_mounted(lab.bpffs / "theirs")
    (folder / "empty").mkdir()
    with tiny("xdp_other") as program:
        program.pin(folder / "one")
        with Program.open_pinned(folder / "one") as again:
            assert again.id in all_holders()
