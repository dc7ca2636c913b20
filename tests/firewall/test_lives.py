"""The lives of an attached interface, by hook, with the service and without it.

In each row a box behind the interface sends pings. Before, they are dropped; meanwhile and after, the
table says whether they are, and what `status`, the health and `detach` say.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.firewall.support import Site, rules
from tests.support.net.netns import Namespace, wait_for
from tests.support.net.ping import ping
from xdpwall.errors import NotFound
from xdpwall.firewall.firewall import Firewall
from xdpwall.kernel.bpf.programs import Program
from xdpwall.values.terms import Direction, Hook, Place, WantedMode

HOOKS: dict[str, tuple[Hook, Direction, WantedMode]] = {
    "native": ("xdp", "ingress", "native"),
    "generic": ("xdp", "ingress", "generic"),
    "tc-ingress": ("tc", "ingress", "auto"),
    "tc-egress": ("tc", "egress", "auto"),
}
ADDRESS = "10.9.0.1/24"
NATIVE_OR_GENERIC = ["native", "generic"]


@dataclass
class Life:
    """One attached interface."""

    site: Site
    firewall: Firewall
    hook: Hook
    direction: Direction
    mode: WantedMode
    watched: bool

    @property
    def place(self) -> Place:
        return "xdp" if self.hook == "xdp" else f"tc-{self.direction}"  # type: ignore[return-value]

    def program_ids(self) -> list[int]:
        attacher = self.firewall._instance.attacher
        return [
            each
            for index, place in attacher.pins.entries()
            for each in attacher.pins.attached_ids(index, place)
        ]

    def dropped(self) -> bool:
        return self.site.ping(1) == 0

    def state(self) -> str:
        (view,) = self.firewall.status().attachments
        return view.state

    def says(self, words: str) -> bool:
        """Whether status and the health both tell of this attachment; status in these words."""
        told = [one for one in self.firewall.status().warnings if one.startswith("veth0 ")]
        known = [one for one in self.firewall.health().problems if one.startswith("veth0 ")]
        return len(told) == len(known) == 1 and words in told[0]

    def well(self) -> bool:
        return self.state() == "attached" and self.firewall.health().status == "ok"

    def up(self, space: Namespace, name: str = "veth0") -> None:
        """An interface that was moved is down and has no address."""
        space.ip(f"addr add {ADDRESS} dev {name}")
        space.ip(f"link set {name} up")
        wait_for(lambda: "state UP" in space.ip(f"link show {name}"), f"{name} up")

    def attached_again(self) -> None:
        """veth0 is back, and nothing on it."""
        self.up(self.site.host)
        self.firewall.attach("veth0", hook=self.hook, direction=self.direction, mode=self.mode)
        assert self.well() and self.dropped()

    def made_again(self) -> None:
        self.site.lab.veth(
            self.site.host,
            "veth0",
            self.site.box,
            "eth0",
            address=ADDRESS,
            peer_address="10.9.0.2/24",
        )

    def mended(self) -> None:
        """By the service itself, or by restore."""
        if self.watched:
            wait_for(self.well, "the service has attached it again")
        else:
            assert self.state() == "displaced" and self.says("xdpwall restore")
            assert not self.dropped()
            assert self.firewall.restore().attached == [f"veth0 {self.place}"]
        assert self.well() and self.dropped()


@pytest.fixture(params=[True, False], ids=["service", "no service"])
def watched(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(params=HOOKS)
def life(site: Site, request: pytest.FixtureRequest, watched: bool) -> Iterator[Life]:
    """veth0 attached, and pings dropped."""
    hook, direction, mode = HOOKS[request.param]
    with site.open(service=watched) as firewall:
        firewall.attach("veth0", hook=hook, direction=direction, mode=mode)
        firewall.add_rules(rules("drop icmp"))
        if watched:
            firewall.watch()
        made = Life(site, firewall, hook, direction, mode, watched)
        assert made.well() and made.dropped()
        yield made


@contextlib.contextmanager
def nameless(life: Life) -> Iterator[subprocess.Popen[bytes]]:
    """A namespace that only a process holds."""
    process = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
    try:
        home = os.stat("/proc/self/ns/net").st_ino
        wait_for(lambda: os.stat(f"/proc/{process.pid}/ns/net").st_ino != home, "a namespace")
        yield process
    finally:
        process.kill()
        process.wait()


def gone(ids: list[int]) -> bool:
    for one in ids:
        with contextlib.suppress(NotFound):
            Program.open_id(one).close()
            return False
    return True


def test_what_it_leaves_by(life: Life) -> None:
    moved_to_a_named_namespace(life)
    moved_to_a_namespace_that_a_process_holds(life)
    renamed_then_deleted(life)


def moved_to_a_named_namespace(life: Life) -> None:
    third, ids = life.site.lab.namespace("third"), life.program_ids()
    life.site.host.ip(f"link set veth0 netns {third.name}")
    life.up(third)
    if life.hook == "xdp":
        wait_for(lambda: life.state() == "moved", "it is seen to be moved")
        assert life.says(f"on veth0 in network namespace {third.name}")
        assert life.dropped()
        (failed,) = life.firewall.restore().failed
        assert f"our program judges packets on veth0 in network namespace {third.name}" in failed
    else:
        wait_for(lambda: life.state() == "no interface", "it is seen to be gone")
        assert not life.dropped()
    assert life.firewall.detach(None).detached == [f"veth0 {life.place}"]
    assert not life.dropped() and gone(ids)
    assert life.firewall.status().attachments == [] and life.firewall.health().status == "ok"
    third.ip(f"link set veth0 netns {life.site.host.name}")
    life.attached_again()


def moved_to_a_namespace_that_a_process_holds(life: Life) -> None:
    ids = life.program_ids()
    with nameless(life) as holder:
        inode = os.stat(f"/proc/{holder.pid}/ns/net").st_ino
        life.site.host.ip(f"link set veth0 netns {holder.pid}")
        enter = ["nsenter", f"--net=/proc/{holder.pid}/ns/net", "ip"]
        subprocess.run([*enter, "link", "set", "veth0", "name", "other0"], check=True)
        subprocess.run([*enter, "addr", "add", ADDRESS, "dev", "other0"], check=True)
        subprocess.run([*enter, "link", "set", "other0", "up"], check=True)
        if life.hook == "xdp":
            wait_for(lambda: life.state() == "moved", "it is seen to be moved")
            assert life.says(
                f"on other0 in network namespace {inode} (of process {holder.pid}, sleep)"
            )
            assert life.dropped()
        assert life.firewall.detach("veth0").detached == [f"veth0 {life.place}"]
        wait_for(lambda: not life.dropped(), "pings pass")
        assert gone(ids)
        home = ["netns", life.site.host.name, "name", "veth0"]
        subprocess.run([*enter, "link", "set", "other0", *home], check=True)
    life.attached_again()


def test_what_it_comes_back_from(life: Life, caplog: pytest.LogCaptureFixture) -> None:
    down_and_up(life)
    taken_off_is_told_and_not_put_back(life, caplog)
    moved_away_and_back(life)
    deleted_and_made_again(life, caplog)


def down_and_up(life: Life) -> None:
    life.site.host.ip("link set veth0 down")
    life.site.host.ip("link set veth0 up")
    wait_for(lambda: "state UP" in life.site.host.ip("link show veth0"), "veth0 up")
    assert life.well() and life.dropped()


def taken_off_is_told_and_not_put_back(life: Life, caplog: pytest.LogCaptureFixture) -> None:
    if life.hook == "xdp":
        life.site.host.ip(f"link set veth0 xdp{'generic' * (life.mode == 'generic')} off")
    else:
        life.site.host.tc(f"filter del dev veth0 {life.direction}")
    wait_for(lambda: life.says("our program is not attached"), "it is told")
    if life.watched:
        wait_for(lambda: "someone took our program off" in caplog.text, "it is in the log")
        wait_for(lambda: (life.firewall.metrics().open_seconds[0] or 0) > 0, "it is counted")
    assert life.state() == "displaced" and not life.dropped()
    assert life.firewall.restore().attached == [f"veth0 {life.place}"]
    assert life.well() and life.dropped()


def moved_away_and_back(life: Life) -> None:
    third = life.site.lab.namespace("third")
    life.site.host.ip(f"link set veth0 netns {third.name}")
    wait_for(lambda: life.state() in ("moved", "no interface"), "it is seen to be gone")
    third.ip("link set veth0 netns " + life.site.host.name)
    life.up(life.site.host)
    if life.hook == "xdp":  # its program came back with it
        wait_for(life.well, "it is in place")
        assert life.dropped()
    else:
        life.mended()


def deleted_and_made_again(life: Life, caplog: pytest.LogCaptureFixture) -> None:
    ids = life.program_ids()
    life.site.host.ip("link del veth0")
    wait_for(lambda: life.state() == "no interface", "it is seen to be gone")
    assert life.says("the interface does not exist")
    caplog.clear()
    life.made_again()
    life.mended()
    assert gone(ids)
    if life.watched:
        assert "attached again; it was not filtered for" in caplog.text


def test_moved_back_with_another_index(life: Life) -> None:
    third = life.site.lab.namespace("third")
    index = life.site.host.index("veth0")
    life.site.host.ip(f"link set veth0 netns {third.name}")
    life.site.host.ip(f"link add name squatter index {index} type bridge")
    third.ip("link set veth0 netns " + life.site.host.name)
    assert life.site.host.index("veth0") != index
    life.up(life.site.host)
    if life.hook == "xdp":
        wait_for(life.well, "it is in place")
        assert life.dropped()
        assert life.firewall.restore().failed == []
        life.firewall.add_rules(rules("count icmp on veth0"), at=1)
        assert life.dropped()
        assert [one.packets > 0 for one in life.firewall.rules().rules] == [True, True]
    else:
        life.mended()
    assert life.firewall.detach(None).detached == [f"veth0 {life.place}"]
    assert not life.dropped()


def test_moved_and_another_made_with_its_name(life: Life) -> None:
    third, ids = life.site.lab.namespace("third"), life.program_ids()
    other = life.site.lab.namespace("other")
    life.site.host.ip(f"link set veth0 netns {third.name}")
    life.up(third)
    life.site.lab.veth(
        life.site.host, "veth0", other, "eth0", address="10.8.0.1/24", peer_address="10.8.0.2/24"
    )
    if life.watched:
        wait_for(life.well, "the service has attached the new one")
    else:
        assert life.firewall.restore().attached == [f"veth0 {life.place}"]
    assert ping(other, "10.8.0.1", 1, over=("eth0", "10.8.0.1")) == 0
    assert not life.dropped() and gone(ids)  # the former one is no longer ours


def renamed_then_deleted(life: Life) -> None:
    life.site.host.ip("link set veth0 name veth9")
    assert life.dropped() and life.well()
    assert life.firewall.restore().already == [f"veth0 {life.place}"]
    assert life.firewall.detach("veth0").detached == [f"veth0 {life.place}"]
    assert not life.dropped()
    life.firewall.attach("veth9", hook=life.hook, direction=life.direction, mode=life.mode)
    ids = life.program_ids()
    life.site.host.ip("link del veth9")
    assert life.firewall.detach(None).detached == [f"veth9 {life.place}"]
    assert gone(ids) and life.program_ids() == []
    assert life.firewall.status().attachments == []


def test_two_change_names(site: Site, watched: bool) -> None:
    site.lab.veth(site.host, "veth1", site.lab.namespace("other"), "eth0")
    with site.open(service=watched) as firewall:
        firewall.attach("veth0")
        firewall.attach("veth1")
        firewall.add_rules(rules("drop icmp on veth1", "count icmp on veth0"))
        if watched:
            firewall.watch()
        assert site.ping(1) == 1
        for old, new in (("veth0", "veth2"), ("veth1", "veth0"), ("veth2", "veth1")):
            site.host.ip(f"link set {old} down")
            site.host.ip(f"link set {old} name {new}")
        site.host.ip("link set veth0 up")
        site.host.ip("link set veth1 up")
        if not watched:
            assert firewall.restore().failed == []
        wait_for(
            lambda: (
                [one.state for one in firewall.status().attachments] == ["attached"] * 2
                and firewall.health().status == "ok"
            ),
            "both are in place",
        )
        wait_for(lambda: site.ping(1) == 0, "what is called veth1 now is judged as veth1")
        firewall.detach(None)
        assert site.ping(1) == 1 and firewall._instance.attacher.pins.entries() == []


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_changes_reach_one_that_was_moved(site: Site, mode: WantedMode) -> None:
    third = site.lab.namespace("third")
    with site.open() as firewall:
        firewall.attach("veth0", mode=mode)
        before = firewall._instance.attacher.pins.ids()
        site.host.ip(f"link set veth0 netns {third.name}")
        third.ip(f"addr add {ADDRESS} dev veth0")
        third.ip("link set veth0 up")
        wait_for(lambda: site.ping(1) == 1, "pings pass")
        # Another program is needed for each: features, then larger maps.
        firewall.add_rules(rules("drop icmp ttl 1-255"))
        assert site.ping(1) == 0
        now = firewall._instance.attacher.pins.ids()
        assert now.isdisjoint(before)
        firewall.add_rules(rules(*(f"drop tcp/{port}" for port in range(1, 200))))
        assert now.isdisjoint(firewall._instance.attacher.pins.ids())
        firewall.delete_rules(["r1"])
        assert site.ping(1) == 1
        assert firewall.detach(None).detached == ["veth0 xdp"]
