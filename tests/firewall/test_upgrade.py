"""Maps of another version: nothing works on them but restore, which never stops filtering."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.firewall.support import Site, rules, step
from tests.firewall.test_crashes import KILLED, RESTORE
from tests.support.net.netns import wait_for
from xdpwall import abi
from xdpwall.errors import Failed
from xdpwall.firewall.firewall import Firewall
from xdpwall.kernel.bpf import bpffs
from xdpwall.kernel.bpf.map_info import MapType
from xdpwall.kernel.bpf.maps import Map, create_map
from xdpwall.sets.entries import Entries


def count_otherwise(site: Site) -> None:
    """What is pinned is laid out as by a version that counted otherwise."""
    counters = site.settings.bpffs / "maps" / "counters"
    bpffs.unlink(counters)
    with create_map(MapType.PERCPU_ARRAY, "counters", 4, 24, 16) as other:
        other.pin(counters)


def read_otherwise(site: Site) -> None:
    """What is pinned was made for other programs, which count in the same way."""
    with Map.open_pinned(site.settings.bpffs / "maps" / "control") as control:
        control.update(abi.CONTROL_PROGRAMS, bytes(8))


@contextmanager
def flood(site: Site) -> Iterator[list[int]]:
    """Pings from the box all the while, none of which may be answered; how many is in the list at the end."""
    argv = site.box.argv("ping", "-q", "-i", "0.005", "10.9.0.1")
    sent: list[int] = []
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as pings:
        try:
            yield sent
        finally:
            pings.send_signal(signal.SIGINT)
            words, _ = pings.communicate(timeout=60)
    assert " 0 received" in words, words
    sent.append(int(words.split(" packets transmitted")[0].split()[-1]))


@pytest.fixture
def aged(site: Site, request: pytest.FixtureRequest) -> Site:
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.attach("veth0", hook="tc")
        firewall.create_set("bad")
        firewall.replace_set("bad", Entries.of(["10.9.0.2", "198.51.100.0/24"]))
        firewall.add_rules(rules("drop icmp from @bad"))
    getattr(request, "param", read_otherwise)(site)
    return site


@pytest.mark.parametrize("aged", [count_otherwise, read_otherwise], indirect=True)
def test_a_restore_takes_over_without_a_gap(aged: Site) -> None:
    with aged.open() as firewall, flood(aged):
        with pytest.raises(Failed) as caught:
            firewall.add_rules(rules("drop udp"))
        assert caught.value.code == "other-version"
        assert "xdpwall restore" in (caught.value.hint or "")
        status = firewall.status()
        assert "another version" in status.warnings[0] and status.rules is None
        assert {one.state for one in status.attachments} == {"attached"}
        outcome = firewall.restore()
        assert outcome.already == ["veth0 xdp", "veth0 tc-ingress"] and not outcome.failed
        assert aged.ping(3) == 0
        rule = firewall.rules().rules[0]
        assert rule.packets >= 3
        assert not any("restore" in words for words in firewall.status().warnings)
    with aged.open() as firewall:
        firewall.change_set("bad", remove=["10.9.0.2"])
        assert aged.ping(2) == 2
        assert firewall.restore().already == ["veth0 xdp", "veth0 tc-ingress"]


@pytest.mark.parametrize("point", RESTORE)
def test_a_restore_that_dies_can_be_run_again(aged: Site, point: str) -> None:
    with flood(aged):
        assert aged.run(step("restore"), crash_at=point) == KILLED
        with aged.open() as firewall:
            assert not firewall.restore().failed
            assert aged.ping(3) == 0
    with aged.open() as firewall:
        firewall.change_set("bad", remove=["10.9.0.2"])
        assert aged.ping(2) == 2


def test_rules_without_any_feature_move_too(site: Site) -> None:
    """No program needs others for its rules, but its maps are not those that change."""
    with site.open() as firewall:
        firewall.attach("veth0")
    count_otherwise(site)
    with site.open() as firewall:
        firewall.restore()
        firewall.add_rules(rules("drop icmp"))
        assert site.ping(2) == 0


@pytest.mark.parametrize("point", [None, "restore-kept", "restore-unpinned", "restore-created"])
def test_counts_go_on_where_they_are_counted_likewise(site: Site, point: str | None) -> None:
    """All of them, also of packets that come while one program takes the other's place."""
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.add_rules(rules("drop icmp"))
        site.ping(2)
        firewall.reset_counters()
        site.ping(3)
    read_otherwise(site)
    with flood(site) as sent:
        if point is not None:
            assert site.run(step("restore"), crash_at=point) == KILLED
        with site.open() as firewall:
            firewall.restore()
    with site.open() as firewall:
        packets = wait_for(lambda: counted(firewall, 3 + sent[0]), "all pings are counted")
        assert packets == 3 + sent[0]
        kept = [name for name in bpffs.pin_names(site.settings.bpffs) if name.startswith("kept-")]
        assert not kept
        (total,) = (one.totals for one in firewall.status().attachments)
        assert total is not None and total.seen.packets >= 5 + sent[0]


def counted(firewall: Firewall, least: int) -> int:
    """What the only rule has counted, once it is as much."""
    packets = firewall.rules().rules[0].packets
    return packets if packets >= least else 0
