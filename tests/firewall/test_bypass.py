"""Filters of others before ours at tc: what is told agrees with what packets do."""

from __future__ import annotations

import pytest

from tests.firewall.support import Site, rules
from tests.support.kernel.tinybpf import tiny
from tests.support.net.tcx import attached_tcx
from xdpwall.errors import XdpwallError
from xdpwall.firewall.doctor import run_doctor
from xdpwall.values.terms import Direction

ALL = "bpf bytecode 1,6_0_0_4294967295"
U32 = "u32 match u32 0 0"
MIRROR = "action mirred egress mirror dev mirror0"

CASES = {
    # Filters before ours, what names them when they let packets pass, whether they do.
    "u32": ([f"pref 7 {U32} flowid 1:1"], "u32 at pref 7", True),
    "classic bpf": ([f"pref 7 {ALL} flowid 1:1"], "bpf at pref 7", True),
    "pipe, and then nothing": ([f"pref 7 {U32} {MIRROR} pipe"], "u32 at pref 7", True),
    "goto an empty chain": ([f"pref 7 {U32} {MIRROR} goto chain 5"], "u32 at pref 7", True),
    "goto a chain": (
        [
            f"pref 3 chain 5 {U32} {MIRROR} continue",
            f"pref 7 {ALL} {MIRROR} goto chain 5",
        ],
        "bpf at pref 7",
        True,
    ),
    "the second of two": (
        [f"pref 7 {U32} {MIRROR} continue", f"pref 8 {U32} flowid 1:1"],
        "u32 at pref 8",
        True,
    ),
    "the second of one pref": (
        [f"pref 7 handle 1 {ALL} flowid 1:1", f"pref 7 handle 2 {ALL} {MIRROR} continue"],
        "bpf at pref 7",
        True,
    ),
    "redirect": (
        [f"pref 7 {U32} action mirred egress redirect dev mirror0"],
        "u32 at pref 7",
        False,
    ),
    "continue": ([f"pref 7 {U32} {MIRROR} continue"], None, False),
    "drop": ([f"pref 7 {ALL} {MIRROR} drop"], None, False),
    "a chain that nothing leads to": ([f"pref 9 chain 5 {U32} flowid 1:1"], None, False),
}
EVERYTHING: dict[Direction, str] = {"ingress": "everything in", "egress": "everything out"}


@pytest.mark.parametrize("direction", ["ingress", "egress"])
@pytest.mark.parametrize("case", CASES)
def test_filters_before_ours(site: Site, case: str, direction: Direction) -> None:
    filters, named, passes = CASES[case]
    host = site.host
    host.ip("link add mirror0 type veth peer name mirror1")
    host.ip("link set mirror0 up")
    host.ip("link set mirror1 up")
    host.tc("qdisc add dev veth0 clsact")
    # Ours takes the first free pref: leave none before those of the case.
    for pref in range(1, 7):
        host.tc(
            f"filter add dev veth0 {direction} pref {pref} protocol all {U32} {MIRROR} continue"
        )
    for line in filters:
        words = f"tc filter add dev veth0 {direction} protocol ip {line}".split()
        host.run(*(word.replace("_", " ") for word in words))
    host.tc(f"filter add dev veth0 {direction} pref 20 protocol all {U32} flowid 1:1")
    with site.open() as firewall:
        firewall.add_rules(rules("drop icmp"))
        outcome = firewall.attach("veth0", hook="tc", direction=direction)
        status, doctor = firewall.status(), run_doctor(site.settings)
        (interface,) = [one for one in firewall.interfaces().interfaces if one.name == "veth0"]
        answer = site.ping(1)
    told = [words for words in outcome.warnings if "bypassed" in words]
    assert [words for words in status.warnings if "bypassed" in words] == told
    assert status.attachments[0].sees == outcome.attachment.sees
    assert interface.attachments[0].sees == outcome.attachment.sees
    bypassing = [one.words for one in interface.others if one.bypasses_us]
    warned = [check.found for check in doctor.checks if "bypassed" in check.found]
    assert bypassing == ([] if named is None else [named])
    assert answer == passes
    if named is None:
        assert told == [] and warned == []
        assert outcome.attachment.sees == [EVERYTHING[direction]]
    else:
        assert f"veth0 tc-{direction}: may be bypassed by {named}," in told[0] and len(told) == 1
        assert f"bypassed by {named} of another owner" in warned[0] and len(warned) == 1
        assert "everything" not in " ".join(outcome.attachment.sees)
        assert named in outcome.attachment.sees[0]


def test_a_filter_that_comes_later_at_our_pref_runs_first(site: Site) -> None:
    with site.open() as firewall:
        firewall.add_rules(rules("drop icmp"))
        firewall.attach("veth0", hook="tc")
        assert site.ping(1) == 0
        add = "tc filter add dev veth0 ingress pref 1 handle 9 protocol all bpf bytecode"
        site.host.run(*add.split(), "1,6 0 0 4294967295", "flowid", "1:1")
        assert site.ping(1) == 1
        (words,) = [words for words in firewall.status().warnings if "bypassed" in words]
    assert "bpf at pref 1" in words


def test_tcx_is_told_where_ours_is_at_tc_and_not_at_xdp(site: Site) -> None:
    index = site.host.index("veth0")
    with site.open() as firewall, tiny("tc_ok") as theirs:
        firewall.add_rules(rules("drop icmp"))
        with attached_tcx(index, "ingress", theirs):
            (words,) = firewall.attach("veth0", hook="tc").warnings
            assert f"may be bypassed by tcx program {theirs.id}, tc_ok," in words
            assert site.ping(1) == 1
            firewall.detach("veth0")
            outcome = firewall.attach("veth0")
            assert outcome.attachment.sees == ["everything in"]
            assert not any("bypassed" in words for words in firewall.status().warnings)
            assert site.ping(1) == 0


def test_a_shared_block_is_read_whole_and_takes_no_filter_of_ours(site: Site) -> None:
    host = site.host
    host.tc("qdisc add dev veth0 ingress_block 22 clsact")
    host.tc(f"filter add block 22 pref 3 protocol all {U32} flowid 1:1")
    with site.open() as firewall:
        (interface,) = [one for one in firewall.interfaces().interfaces if one.name == "veth0"]
        assert [(one.place, one.words) for one in interface.others] == [
            ("tc-ingress", "u32 at pref 3")
        ]
        with pytest.raises(XdpwallError) as caught:
            firewall.attach("veth0", hook="tc")
        assert "block" in caught.value.message and caught.value.exit_code == 6
        assert "xdpwall attach veth0" in str(caught.value.hint)
        assert firewall.attach("veth0", hook="tc", direction="egress").attachment.sees == [
            "everything out"
        ]
