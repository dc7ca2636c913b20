"""What the tests of the facade share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.kernel.deadline import reach_deadline, wait_for_deadline
from tests.support.net.netns import Lab, Namespace
from tests.support.net.ping import ping
from tests.support.paths import ROOT
from xdpwall.dataplane.dataplane import Dataplane
from xdpwall.dataplane.set_maps import SetMaps
from xdpwall.firewall.firewall import Firewall
from xdpwall.rule.rule import Rule
from xdpwall.settings import Settings
from xdpwall.store.store import Store

HOST6, BOX6 = "fd00:9::1", "fd00:9::2"
PATIENCE = 300.0
"""Seconds in which another process has made its changes."""
_CHILD = """
import json, sys
from pathlib import Path
from xdpwall.firewall.firewall import Firewall
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.attachment import AttachmentSpec
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.sets.entries import Entries
from xdpwall.settings import Settings
from xdpwall.values.author import Author
steps = json.loads(sys.argv[1])
with Firewall.open(Settings(*map(Path, sys.argv[2:5])), service=len(sys.argv) > 5) as firewall:
    for method, args, named in steps:
        if method == "add_rules":
            args = [[Rule.parse(rule) for rule in args[0]]]
        if method == "want":
            args = [AttachmentSpec.parse(args[0])]
        if method == "apply":
            args = [Ruleset.parse(args[0])]
        if method == "replace_set":
            args[1] = Entries.of(args[1])
        if "by" in named:
            named["by"] = Author(**named["by"])
        getattr(firewall, method)(*args, **named)
"""
Step = tuple[str, list[Any], dict[str, Any]]


def step(method: str, *args: Any, **named: Any) -> Step:
    """One call on the facade, for another process; rules as text or objects."""
    return method, list(args), named


def in_kernel(dataplane: Dataplane) -> dict[str, int]:
    """How many addresses and prefixes of sets the kernel holds, by kind."""
    tables = SetMaps(dataplane.map_set.maps, lambda: 0).tables
    return {kind: len(table.lookup_batch()[0]) for kind, table in tables.items()}


class Site:
    """Two namespaces on a cable, and the instance of the host."""

    def __init__(self, lab: Lab, host: Namespace, box: Namespace, folder: Path) -> None:
        self.lab, self.host, self.box = lab, host, box
        self.settings = Settings(folder / "state", lab.bpffs / "fw", folder / "socket")

    def open(self, *, service: bool = False) -> Firewall:
        """The firewall, in this process."""
        return Firewall.open(self.settings, service=service)

    def prepare(self, *texts: str) -> None:
        """veth0 attached, and these rules."""
        with self.open() as firewall:
            firewall.attach("veth0")
            firewall.add_rules(rules(*texts))

    def start(
        self,
        *steps: Step,
        crash_at: str | None = None,
        space: Namespace | None = None,
        service: bool = False,
    ) -> subprocess.Popen[str]:
        """Another process makes these calls, and may die at a point of changes/crashpoints.py."""
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
        if crash_at:
            environ["XDPWALL_TEST_CRASH_AT"] = crash_at
        paths = [str(getattr(self.settings, name)) for name in ("state_dir", "bpffs", "socket")]
        argv = [sys.executable, "-c", _CHILD, json.dumps(steps), *paths]
        argv += ["service"] if service else []
        return subprocess.Popen(
            (space or self.host).argv(*argv), env=environ, stderr=subprocess.PIPE, text=True
        )

    def run(self, *steps: Step, crash_at: str | None = None, service: bool = False) -> int:
        """The exit code of such a process; -9 when it died at the point."""
        process = self.start(*steps, crash_at=crash_at, service=service)
        _, words = process.communicate(timeout=PATIENCE)
        if process.returncode not in (0, -9):
            raise AssertionError(words)
        return process.returncode

    def ping(self, count: int = 3, address: str = "10.9.0.1") -> int:
        """Answers that the box gets to `count` pings of the host."""
        return ping(self.box, address, count, over=("eth0", "10.9.0.1"))

    def kernel_revision(self) -> int:
        """What the control word says."""
        dataplane = Dataplane(self.settings.bpffs)
        dataplane.open()
        try:
            return dataplane.control.read().revision
        finally:
            dataplane.close()

    def disk_revision(self) -> int:
        """What the store says."""
        store = Store(self.settings.state_dir)
        try:
            return store.read().ruleset.revision
        finally:
            store.close()

    def forget_kernel(self) -> None:
        """What a reboot does: no program, no map, another boot."""
        self.forget_kernel_alone()
        store = Store(self.settings.state_dir)
        binding = store.read().binding
        assert binding is not None
        # All the rest is as that boot left it.
        store._write_meta({"netns": str(binding.netns + 1), "boot_id": "the boot before"})
        store.update_copy()
        store.close()

    def forget_kernel_alone(self) -> None:
        """What a reboot does to the kernel's side."""
        self.host.ip("link set veth0 xdp off")
        self.host.status("tc", "qdisc", "del", "dev", "veth0", "clsact")
        from xdpwall.kernel.bpf import bpffs

        bpffs.remove_tree(self.settings.bpffs / "progs")
        for folder in sorted(self.settings.bpffs.iterdir()):
            bpffs.remove_tree(folder)


def rules(*texts: str) -> list[Rule]:
    """Rules from sentences."""
    return [Rule.parse(text) for text in texts]


def dataplane_of(firewall: Firewall) -> Dataplane:
    """The maps that it has open; beside the threads of a service."""
    with firewall._instance.lock.threads:
        found = firewall._instance.dataplane()
    assert found is not None
    return found


def trail(firewall: Firewall) -> list[str]:
    """The actions in its audit trail, oldest first; beside the threads of a service."""
    with firewall._instance.lock.threads:
        _, entries = firewall._instance.store.audit.since(0, 1 << 60)
    return [entry.action for entry in entries]


def pings(site: Site) -> tuple[bool, bool]:
    """Whether pings of (IPv4, IPv6) are answered."""
    return site.ping(1) == 1, site.ping(1, HOST6) == 1


def wait_until_reverted(firewall: Firewall) -> None:
    """Until the deadline of the change that waits, by what the kernel says; nobody of ours does anything."""
    wait_for_deadline(dataplane_of(firewall).control)


def revert_now(firewall: Firewall) -> None:
    """Let the kernel take the change that waits back at this moment; nobody of ours does anything."""
    dataplane = dataplane_of(firewall)
    reach_deadline(dataplane.control)


def box_with(site: Site, name: str, address: int) -> Namespace:
    """A machine behind a new interface of the host, 10.ADDRESS.0.2; the host is 10.ADDRESS.0.1."""
    box = site.lab.namespace(f"box{address}")
    site.lab.veth(
        site.host,
        name,
        box,
        "eth0",
        address=f"10.{address}.0.1/24",
        peer_address=f"10.{address}.0.2/24",
    )
    return box


def passes(box: Namespace, address: int) -> bool:
    """Whether its ping is answered."""
    return ping(box, f"10.{address}.0.1", 1, over=("eth0", f"10.{address}.0.1")) == 1
