"""Every command on real interfaces and maps, with the service and without."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.cli.support import Instance
from tests.support.net.ping import ping as echo
from tests.support.service.nobody import as_nobody


def ping(wall: Instance, count: int = 1) -> int:
    """Answers that the box gets from the host."""
    assert wall.box is not None
    return echo(wall.box, "10.9.0.1", count, over=("eth0", "10.9.0.1"))


def ids(wall: Instance) -> list[str]:
    return wall.here("rule", "list", "-o", "name").stdout.split()


def test_attach_says_why_auto_took_generic(wall: Instance) -> None:
    assert wall.space is not None
    wall.space.ip("link add br0 type bridge")
    said = wall.done("attach", "br0")
    assert said.startswith("br0: xdp generic attached (native was refused: "), said
    assert "native" in wall.json("attach", "lo")["why_generic"]
    assert "why_generic" not in wall.json("attach", "veth0")
    assert "why_generic" not in wall.json("attach", "br0")  # it already was so


def test_status_says_that_it_filters_where_something_is_attached(direct: Instance) -> None:
    direct.done("rule", "add", "drop icmp")
    assert "firewall  on, but no packet is judged\n" in direct.here("status").stdout
    direct.done("attach", "veth0")
    shown = direct.here("status").stdout
    assert "firewall  on, filtering\n" in shown and "not running (filtering goes on)" in shown
    assert direct.space is not None
    direct.space.ip("link del veth0")
    shown = direct.here("status").stdout
    assert "firewall  on, but no packet is judged\n" in shown and "goes on" not in shown


def test_status_alone_finds_what_sees_nothing_when_asked_to_wait(direct: Instance) -> None:
    assert direct.space is not None and direct.box is not None
    direct.space.tc("qdisc add dev veth0 clsact")
    direct.space.tc("filter add dev veth0 ingress pref 1 protocol all u32 match u32 0 0 flowid 1:1")
    direct.done("attach", "veth0", "--hook", "tc")
    pinging = subprocess.Popen(
        direct.box.argv("ping", "-q", "-i", "0.02", "10.9.0.1"), stdout=subprocess.DEVNULL
    )
    try:
        assert "sees nothing" not in " ".join(direct.json("status")["warnings"])
        found = direct.json("status", "--wait", "2")
        assert "veth0 tc-ingress: sees nothing" in " ".join(found["warnings"])
        assert found["attachments"][0]["unseen"] >= 20
        assert "SEES NOTHING" in direct.run("status", "--wait", "2").stdout
        direct.space.tc("filter del dev veth0 ingress pref 1")
        assert "sees nothing" not in " ".join(direct.json("status", "--wait", "2")["warnings"])
    finally:
        pinging.terminate()
        pinging.wait()


def test_attach_says_what_it_got_and_that_it_was_so_already(wall: Instance) -> None:
    assert "veth0: xdp native attached" in wall.done("attach", "veth0")
    assert "veth0: xdp native already attached" in wall.done("attach", "veth0")
    assert "tc-egress attached" in wall.done(
        "attach", "veth0", "--hook", "tc", "--direction", "egress"
    )
    assert wall.here("status", "-o", "name").stdout.split() == ["veth0/xdp", "veth0/tc-egress"]
    answer = wall.json("attach", "veth0")
    assert (answer["changed"], answer["attachment"]["mode"]) == (False, "native")
    done = wall.here("attach", "veth0", "--mode", "generic")
    assert done.exit_code == 5
    assert "hint: " in done.stderr


def test_detach_takes_what_is_named_and_is_quiet_about_nothing(wall: Instance) -> None:
    wall.done("attach", "veth0")
    wall.done("attach", "veth0", "--hook", "tc")
    wall.done("attach", "lo", "--mode", "generic")
    assert wall.json("detach", "veth0", "--hook", "tc") == {
        "detached": ["veth0 tc-ingress"],
        "warnings": [],
    }
    assert "nothing was attached" in wall.done("detach", "veth0", "--hook", "tc")
    assert sorted(wall.json("detach", "--all")["detached"]) == ["lo xdp", "veth0 xdp"]
    assert wall.json("status")["attachments"] == []


CANNOT = {
    "attach nosuch": 3,
    "detach nosuch": 3,
    "attach lo --mode native": 6,
    "rule show nosuch": 3,
    "rule delete nosuch": 3,
    "rule delete one nosuch": 3,
    "rule enable two nosuch": 3,
    "rule disable nosuch one": 3,
    "rule set nosuch on lo": 3,
    "rule move nosuch --at 1": 3,
    "rule move one --at 0": 2,
    "rule move one --at 3": 2,
    "rule move one --at -1": 2,
    "rule reset-counters nosuch": 3,
    "rule add drop --at 0": 2,
    "rule add drop --at 4": 2,
    "rule add drop --id one": 5,
    "rule set one --dport 80": 2,
    "rule set one --unset proto": 2,
}
"""Well-formed, but not possible here: the exit code of each."""


def test_what_cannot_be_done_changes_nothing(wall: Instance) -> None:
    wall.done("rule", "add", "drop", "icmp/echo-request", "--id", "one")
    wall.done("rule", "add", "accept", "tcp/22", "--id", "two")
    before = wall.json("rule", "list"), wall.json("status")["attachments"]
    wrong = {}
    for line, code in CANNOT.items():
        done = wall.here(*line.split())
        quiet = done.stdout == "" and done.stderr.startswith("error: ")
        if done.exit_code != code or not quiet:
            wrong[line] = (done.exit_code, done.output)
    assert not wrong
    assert (wall.json("rule", "list"), wall.json("status")["attachments"]) == before


def test_a_rules_life(wall: Instance) -> None:
    assert wall.done("rule", "add", "drop", "icmp", "on", "veth0", "--id", "noping").startswith(
        "warning: "
    ), "nothing is attached there"
    wall.done("attach", "veth0")
    said = wall.done("rule", "add", "accept", "tcp/22", "comment", "two words")
    assert said == 'added: 2 r1: accept tcp/22 comment "two words"\n'
    added = wall.json("rule", "add", "drop udp", "drop sctp", "--at", "1")
    assert [rule["id"] for rule in added["rules"]] == ["r2", "r3"]
    assert ids(wall) == ["r2", "r3", "noping", "r1"]
    assert wall.here("rule", "add", "drop", "gre", "-q").stdout == "r4\n"

    assert wall.json("rule", "set", "noping", "in")["text"] == "drop icmp on veth0 in"
    assert wall.json("rule", "set", "r1", "accept", "tcp/443")["comment"] == "two words"
    assert "comment" not in wall.json("rule", "set", "r1", "--unset", "comment")
    assert wall.json("rule", "set", "r1", "--action", "count")["text"] == "count tcp/443"

    assert wall.json("rule", "move", "r1", "--at", "1")["position"] == 1
    assert ids(wall) == ["r1", "r2", "r3", "noping", "r4"]
    assert wall.json("rule", "disable", "r2", "r3")["rules"][1]["enabled"] is False
    assert wall.json("status")["enabled_rules"] == 3
    assert wall.json("rule", "enable", "r2")["text"] == "drop udp"

    assert wall.json("rule", "delete", "r2", "r3")["deleted"] == ["r2", "r3"]
    assert wall.json("rule", "rm", "r4", "gone", "--ignore-missing")["deleted"] == ["r4"]
    assert "nothing to delete" in wall.done("rule", "rm", "gone", "--ignore-missing")
    assert ids(wall) == ["r1", "noping"]

    done = wall.here("rule", "flush", stdin="y\n")
    assert done.exit_code == 2, "never a question off a terminal"
    assert "hint: add -y" in done.stderr
    assert ids(wall) == ["r1", "noping"]
    assert wall.json("rule", "flush", "-y")["deleted"] == ["r1", "noping"]
    assert wall.here("rule", "list").stderr == "no rules\n"


def test_packets_are_counted_exactly_and_shown(wall: Instance) -> None:
    assert wall.box is not None
    wall.done("attach", "veth0")
    wall.done("rule", "add", "drop", "icmp", "on", "veth0", "--id", "noping")
    assert ping(wall, 3) == 0
    assert wall.json("rule", "show", "noping")["packets"] == 3
    shown = wall.here("rule", "list", "--exact").stdout.splitlines()
    assert shown[0].split() == ["#", "ID", "PACKETS", "BYTES", "RULE"]
    assert shown[1].split()[:4] == ["1", "noping", "3", f"{3 * 98}"]
    totals = wall.json("status")["attachments"][0]["totals"]
    assert totals["dropped"]["packets"] == 3

    wall.done("off")
    assert "OFF" in wall.here("status").stdout
    assert ping(wall) == 1
    assert "already OFF" in wall.done("off")
    wall.done("on")
    assert ping(wall) == 0
    wall.done("rule", "reset-counters", "noping")
    assert wall.json("rule", "show", "noping")["packets"] == 0
    assert "counts from 0" in wall.done("rule", "reset-counters")


def test_watching_prints_one_object_a_line_with_fresh_counters(wall: Instance) -> None:
    assert wall.box is not None
    wall.done("attach", "veth0")
    wall.done("rule", "add", "count", "icmp", "--id", "ping")
    assert ping(wall, 2) == 2
    done = wall.here("rule", "ls", "-w", "-j", "--times", "2", "--interval", "0.05")
    looks: list[Any] = [json.loads(line) for line in done.stdout.splitlines()]
    assert [look["rules"][0]["packets"] for look in looks] == [2, 2]
    table = wall.here("rule", "ls", "-w", "--times", "2", "--interval", "0.05").stdout
    assert table.count("PKT/S") == 1, "nothing counted since the first look"
    assert "\x1b" not in table


def test_policy(wall: Instance) -> None:
    wall.done("policy", "set", "ingress", "drop", "neighbor-discovery", "judge")
    assert wall.json("policy", "show") == {
        "ingress": "drop",
        "egress": "accept",
        "non_ip": "accept",
        "neighbor_discovery": "judge",
    }
    answer = wall.json("policy", "set", "ingress", "accept")
    assert answer["policy"]["neighbor_discovery"] == "judge", "only what is named changes"


def test_a_drop_policy_says_what_it_ends(wall: Instance) -> None:
    needed = "accept icmp/destination-unreachable in"
    wall.done("attach", "veth0")
    dry = wall.json("policy", "set", "ingress", "drop", "--dry-run")
    assert dry["dry_run"] and needed in dry["missing_rules"]
    assert wall.json("policy", "show")["ingress"] == "accept"
    said = wall.done("policy", "set", "ingress", "drop")
    assert said.count(f"xdpwall rule add {needed}") == 1
    assert wall.json("policy", "show")["ingress"] == "drop", "no terminal, no question"
    for sentence in dry["missing_rules"]:
        wall.done("rule", "add", *sentence.split())
    assert wall.json("policy", "set", "ingress", "drop")["missing_rules"] == []


def test_a_drop_policy_comes_with_the_rules_that_it_takes(wall: Instance) -> None:
    wall.done("attach", "veth0")
    wall.done("attach", "veth0", "--hook", "tc", "--direction", "egress")
    dry = wall.json("policy", "set", "ingress", "drop", "--dry-run")
    assert dry["missing_policy"] == {"egress": "accept keep"}
    said = wall.done("policy", "set", "ingress", "drop", "--add-missing", "--confirm", "600")
    assert "policy: ingress drop, egress accept keep\n" in said
    assert "xdpwall confirm" in said and "no rule accepts" not in said
    for sentence in dry["missing_rules"]:
        assert f"added: {sentence}\n" in said
    assert [one["text"] for one in wall.json("rule", "list")["rules"]] == dry["missing_rules"]
    wall.done("rollback")
    assert wall.json("rule", "list")["rules"] == []
    assert wall.json("policy", "show")["egress"] == "accept", "taken back as one change"


def test_rules_whose_flows_are_not_what_they_seem(wall: Instance) -> None:
    wall.done("policy", "set", "egress", "accept", "keep", "ingress", "drop")
    wall.done("rule", "add", "accept tcp/80 in")
    said = wall.done("rule", "add", "drop state invalid", "--at", "1", "--id", "strict")
    assert "rule strict: drops what rule r1 (accept tcp/80 in) would let pass" in said
    said = wall.done("rule", "add", "accept udp/53 in")
    assert "xdpwall rule add accept udp sport 53 out" in said and "strict" not in said
    found = wall.here("check", "-j")
    assert found.exit_code == 1
    kinds = {one["kind"]: one for one in json.loads(found.stdout)["findings"]}
    assert kinds["drops-cookies"]["state"] == "invalid"
    assert set(kinds) >= {"drops-cookies", "forged-flows"}
    again = wall.done("apply", "-", stdin=wall.here("export").stdout)
    assert again.count("warning: rule strict: drops what") == 1


@pytest.mark.parametrize("flag", ["-oyaml", "-ojson"])
def test_export_is_taken_back_unchanged(wall: Instance, flag: str) -> None:
    wall.done("attach", "veth0")
    wall.done("policy", "set", "non_ip", "drop")
    wall.done("rule", "add", "drop", "icmp", "comment", 'no: "0123" #', "--id", "a")
    wall.done("rule", "add", "accept", "tcp/22,80", "from", "not", "10.0.0.0/8", "disabled")
    text = wall.here("export", flag).stdout
    before = wall.json("rule", "list")["rules"]
    done = wall.here("apply", "-", "-j", stdin=text)
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert answer["kept"] == 2
    assert not any(answer[k] for k in ("added", "removed", "changed", "moved", "policy_changed"))
    assert wall.json("rule", "list")["rules"] == before
    assert wall.here("export", flag).stdout == text


def test_apply_makes_it_exactly_the_file_and_dry_run_changes_nothing(wall: Instance) -> None:
    wall.done("rule", "add", "drop", "icmp", "--id", "old")
    file = wall.state_dir.parent / "rules.yaml"
    file.write_text("version: 1\npolicy: {egress: drop}\nrules:\n  - drop udp/53\n")
    said = wall.done("apply", str(file), "--dry-run")
    assert "would be applied: 1 added, 1 removed, 0 kept, policy changed" in said
    assert ids(wall) == ["old"]
    assert "applied as revision" in wall.done("apply", str(file), "--message", "ticket 4711")
    (rule,) = wall.json("rule", "list")["rules"]
    assert rule["text"] == "drop udp/53"
    assert wall.json("policy", "show")["egress"] == "drop"


def test_restore_says_what_is_in_place(wall: Instance) -> None:
    wall.done("attach", "veth0")
    said = wall.done("restore")
    assert "already attached: veth0 xdp" in said


def test_appeared_attaches_what_was_made_again_and_nothing_else(wall: Instance) -> None:
    assert wall.space is not None
    said = wall.done("appeared", "veth0")
    assert "nothing is wanted on veth0" in said
    wall.done("attach", "veth0", "--mode", "generic")
    assert "already attached: veth0 xdp" in wall.done("appeared", "veth0", "lo")
    wall.space.ip("link set veth0 xdpgeneric off")
    assert "\nattached: veth0 xdp" in "\n" + wall.done("appeared", "lo", "veth0")
    assert "xdpgeneric" in wall.space.ip("link show veth0")
    wall.space.ip("link del veth0")
    done = wall.run("appeared", "veth0")
    assert done.returncode == 1
    assert "not attached: veth0 xdp: the interface does not exist" in done.stderr


def test_doctor_has_a_line_for_each_check_and_ends_with_1_when_one_fails(direct: Instance) -> None:
    report = direct.json("doctor")
    checks = {check["name"]: check for check in report["checks"]}
    assert {"kernel", "bpffs", "JIT", "BTF", "capabilities", "interface veth0"} <= set(checks)
    assert {check["status"] for check in checks.values()} <= {"pass", "warn", "fail"}
    lines = direct.here("doctor", "--no-headers").stdout.splitlines()
    assert [line.split()[0] for line in lines if not line.lstrip().startswith("->")] == [
        check["status"] for check in report["checks"]
    ]
    done = direct.run("doctor", wrap=as_nobody())
    assert done.returncode == 1, done.stderr
    assert any(line.startswith("fail") for line in done.stdout.splitlines())
    assert "-> " in done.stdout


def test_json_is_what_the_api_answers(served: Instance) -> None:
    assert served.service is not None
    served.done("attach", "veth0")
    served.done("rule", "add", "drop", "tcp/22", "--id", "one")
    for args, path in (
        (("rule", "list"), "/rules"),
        (("rule", "show", "one"), "/rules/one"),
        (("policy", "show"), "/policy"),
        (("status",), "/status"),
        (("export",), "/ruleset"),
    ):
        assert served.json(*args) == served.service.call("GET", path).json, args
    body = {"action": "drop", "proto": "udp"}
    told = served.service.call("POST", "/rules", body).json
    printed = served.json("rule", "add", "drop", "udp")
    assert set(printed) == set(told)


def test_both_ways_work_on_one_instance_and_filtering_outlives_the_service(
    served: Instance,
) -> None:
    assert served.service is not None and served.box is not None
    served.done("attach", "veth0")
    served.done("rule", "add", "drop", "icmp", "--id", "noping")
    assert served.json("status")["service"] is True
    served.service.kill()
    assert ping(served) == 0
    assert served.json("status")["service"] is False
    assert served.json("rule", "show", "noping")["packets"] == 1
    served.done("rule", "delete", "noping")
    assert ping(served) == 1


def test_rules_that_are_not_in_force_are_told(wall: Instance) -> None:
    """The state folder is exchanged under what the kernel holds: the list is not what judges."""
    wall.done("attach", "veth0")
    wall.done("rule", "add", "drop", "icmp")
    assert wall.here("rule", "list").stderr == ""
    other = wall.state_dir.with_name("other")
    told = wall.run("rule", "list", "--state-dir", str(other), "--socket", str(other / "none"))
    assert "the kernel holds revision 1" in told.stderr, told
