"""The switch is a bit of the control word: changed without the lock, and kept by every other writer."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

from tests.firewall.support import Site
from tests.support.paths import ROOT
from xdpwall.dataplane.dataplane import Dataplane
from xdpwall.views.events import EventSettings

TURNS = 10_000
_CHILD = """
import sys
from xdpwall.dataplane.switch import Switch
from xdpwall.kernel.bpf.maps import Map
with Map.open_pinned(sys.argv[1]) as table, Switch(table) as switch:
    print("begin", flush=True)
    for turn in range(int(sys.argv[2])):
        on = bool(turn % 2)
        assert switch.set_switch(on), turn
        assert switch.read().on == on, turn
"""


def test_no_writer_of_the_control_word_takes_the_switch_back(site: Site) -> None:
    site.prepare("drop icmp")
    argv = [sys.executable, "-c", _CHILD, str(site.settings.bpffs / "maps/control"), str(TURNS)]
    dataplane = Dataplane(site.settings.bpffs)
    dataplane.open()
    control = dataplane.control
    first = control.read()
    revision = first.revision
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT) as other:
        assert other.stdout is not None
        other.stdout.readline()
        while other.poll() is None:
            revision += 1
            control.activate_idle_copy(revision, logging=False)
            control.set_events(EventSettings(log_drops=bool(revision % 3)), logging=True)
            control.set_tapped(logging=False)
    assert other.returncode == 0
    assert revision > first.revision
    copy = (first.copy + revision - first.revision) % 2
    events = bool(revision % 3)
    assert control.read() == replace(first, revision=revision, copy=copy, events=events)
    dataplane.close()
