"""diff, history and rollback on the command line, with the service and without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.support import Instance
from tests.support.net.ping import ping


def pings(wall: Instance) -> int:
    assert wall.box is not None
    return ping(wall.box, "10.9.0.1", 2, over=("eth0", "10.9.0.1"))


FIRST = """\
version: 1
sets: {bad: {entries: [192.0.2.1, 192.0.2.2]}}
rules:
- accept tcp/22
- drop tcp/23
- drop from @bad
- accept udp/53
- count icmp
"""
SECOND = """\
version: 1
policy: {ingress: drop}
sets: {bad: {entries: [192.0.2.1, 192.0.2.7, 192.0.2.8]}, good: {entries: [198.51.100.1]}}
rules:
- {id: r1, text: accept tcp/22}
- {id: r5, text: count icmp}
- {id: r2, text: drop tcp/23 on veth0}
- {id: r3, text: drop from @bad}
- drop icmp
attachments: [{iface: veth0, hook: xdp, mode: generic}]
"""
DIFFERENCE = """\
--- revision 1
+++ {name}
@@ policy @@
-ingress accept
+ingress drop
@@ rules -1,4 +1,5 @@
    1 r1  accept tcp/22
~5->2 r5  count icmp
-   2 r2  drop tcp/23
+   3 r2  drop tcp/23 on veth0
    4 r3  drop from @bad
-   4 r4  accept udp/53
+   5 r6  drop icmp
@@ sets @@
-set bad: 2 entries
+set bad: 3 entries
-  192.0.2.2
+  192.0.2.7
+  192.0.2.8
+set good: 1 entry
+  198.51.100.1
@@ attachments @@
+veth0 xdp generic
"""


def test_diff(wall: Instance, tmp_path: Path) -> None:
    file = tmp_path / "office.yaml"
    file.write_text(FIRST)
    wall.done("apply", str(file))
    same = wall.here("diff", str(file))
    assert (same.exit_code, same.stdout) == (0, "")
    assert "no difference: revision 1 is this ruleset" in same.stderr
    assert wall.json("diff", str(file)) == {
        "same": True, "revision": 1, "policy": [], "timeouts": [], "rules": [], "sets": [], "attachments": []
    }  # fmt: skip
    other = wall.here("diff", "-", stdin=SECOND)
    assert (other.exit_code, other.stderr) == (1, "")
    assert sorted(other.stdout.replace("standard input", "{name}").splitlines()) == sorted(
        DIFFERENCE.splitlines()
    )
    assert other.stdout.replace("standard input", "{name}") == DIFFERENCE
    assert wall.here("diff", "-", "-q", stdin=SECOND).stdout.split() == [
        "r5", "r2", "r4", "r6", "@bad", "@good"
    ]  # fmt: skip
    assert wall.json("status")["revision"] == 1
    wall.done("apply", "-", stdin=SECOND)
    assert wall.here(
        "diff", "-", stdin=SECOND.replace("- drop icmp", "- {id: r6, text: drop icmp}")
    )
    colored = wall.here("diff", str(file), "--color", "always").stdout
    assert "\x1b[31m-" in colored and "\x1b[32m+" in colored and "\x1b[35m~" in colored


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("no-such-file.yaml", "no such file"),
        ("-", "version: missing"),
        ("/", "is a folder"),
    ],
)
def test_every_error_of_diff_is_2(direct: Instance, given: str, words: str) -> None:
    done = direct.here("diff", given, stdin="rules: []")
    assert (done.exit_code, done.stdout) == (2, "")
    assert words in done.stderr
    assert direct.here("diff", "-", stdin="version: 1\nrules: [drop from @none]\n").exit_code == 2


def test_history(wall: Instance) -> None:
    wall.done("rule", "add", "drop tcp/22", "--message", "ticket 4711")
    wall.done("rule", "add", "drop icmp")
    wall.done("rule", "move", "r2", "--at", "1")
    wall.done("policy", "set", "egress", "drop")
    listed = wall.json("history")
    assert [one["revision"] for one in listed["revisions"]] == [4, 3, 2, 1]
    assert [one["action"] for one in listed["revisions"]] == [
        "policy egress drop", "move r2 to 1", "add r2", "add r1"
    ]  # fmt: skip
    assert (listed["more"], listed["oldest"]) == (False, 0)
    first = listed["revisions"][-1]
    assert (first["author"], first["user"], first["message"]) == ("uid 0", "root", "ticket 4711")
    assert [one.get("in_force") for one in listed["revisions"]] == [True, False, False, False]
    shown = wall.here("history", "-p", "-n", "2").stdout
    assert "revision 4 (in force)\nAuthor:  root (uid 0) by " in shown
    assert "    policy egress drop\n\n@@ policy @@\n-egress accept\n+egress drop\n" in shown
    assert "@@ rules -1,1 +1,2 @@\n~2->1 r2  drop icmp\n    2 r1  drop tcp/22\n" in shown
    assert "revision 2" not in shown
    assert [
        o["revision"] for o in wall.json("history", "-n", "1", "--before", "3")["revisions"]
    ] == [2]
    assert (
        wall.json("history", "--since", "2000-01-01T00:00:00Z")["revisions"] == listed["revisions"]
    )
    assert wall.json("history", "--since", "2999-01-01T00:00:00Z")["revisions"] == []
    assert len(wall.json("history", "--since", "1h")["revisions"]) == 4
    assert wall.here("history", "--since", "soon").exit_code == 2


def test_the_audit_trail(wall: Instance) -> None:
    wall.done("rule", "add", "drop tcp/22", "--confirm", "600")
    assert wall.here("history").stdout.startswith("revision 1 (in force, not confirmed)\n")
    assert [one["unconfirmed"] for one in wall.json("history")["revisions"]] == [True]
    wall.done("rollback", "--message", "not that")
    wall.done("off")
    wall.done("on")
    assert wall.json("history")["revisions"] == [], "its number is given again"
    entries = wall.json("history", "--audit")["entries"]
    actions = [one["action"] for one in entries]
    assert actions[:2] == ["on", "off"]
    assert "revision 1 was cancelled: back to 0" in actions and "add r1" in actions
    lines = wall.here("history", "--audit", "-n", "1").stdout.splitlines()
    assert lines[0].endswith("  on") and "root (uid 0) by" in lines[0]
    assert lines[1] == f"older ones: --before {entries[0]['number']}"
    assert wall.here("history", "--audit", "-p").exit_code == 2


def test_rollback(wall: Instance) -> None:
    wall.done("attach", "veth0")
    wall.done("rule", "add", "count icmp")
    wall.done("rule", "add", "drop icmp")
    assert pings(wall) == 0
    assert wall.json("rule", "show", "r1")["packets"] == 2
    before = wall.here("rollback", "--dry-run")
    assert "-2 r2  drop icmp\n" in before.stdout
    assert "revision 1 would be in force again" in before.stderr
    assert wall.json("status")["revision"] == 2
    assert "revision 1 is in force again, as revision 3" in wall.done("rollback")
    assert pings(wall) == 2
    assert wall.json("rule", "show", "r1")["packets"] == 4, "it kept its counter"
    assert "revision 2 is in force again, as revision 4" in wall.done("rollback"), "undone"
    assert pings(wall) == 0
    assert "revision 0 is in force again, as revision 5" in wall.done("rollback", "0")
    assert wall.json("rule", "list")["rules"] == []
    assert "unchanged: revision 5 is the ruleset of revision 0" in wall.done("rollback", "0")
    outcome = wall.json("rollback", "2", "--confirm", "600")
    assert (outcome["to"], outcome["pending"]["revision"], pings(wall)) == (2, 6, 0)
    refused = wall.here("rollback", "3")
    assert (refused.exit_code, "revision 6 waits" in refused.stderr) == (5, True)
    assert "taken back: revision 5 is in force" in wall.done("rollback")
    assert pings(wall) == 2
    unknown = wall.here("rollback", "99")
    assert unknown.exit_code == 3
    assert "revision 99 is not kept; those from 0 to 5 are" in unknown.stderr
    actions = [one["action"] for one in wall.json("history")["revisions"]]
    assert actions[:3] == [
        "rollback to revision 0",
        "rollback to revision 2",
        "rollback to revision 1",
    ]


def test_a_rollback_and_sets(wall: Instance) -> None:
    wall.done("set", "create", "bad")
    wall.done("set", "add", "bad", "192.0.2.1")
    wall.done("rule", "add", "drop from @bad")
    wall.done("rule", "delete", "r1", "-y")
    wall.done("set", "add", "bad", "192.0.2.2")
    wall.done("rollback", "2")
    assert wall.json("set", "list", "bad")["set"]["entries"] == 2, "a rollback leaves entries"
    wall.done("rule", "delete", "r1", "-y")
    wall.done("set", "delete", "bad", "-y")
    wall.done("set", "create", "later")
    wall.done("set", "add", "later", "192.0.2.9")
    refused = wall.here("rollback", "2")
    assert refused.exit_code == 8
    assert (
        "revision 2 has rules about sets that are gone with what they held: @bad (r1)"
        in refused.stderr
    )
    done = wall.done("rollback", "2", "--allow-empty")
    assert "set bad was gone: it is made again, empty" in done
    assert "set later came later and stays" in done
    names = {one["name"]: one["entries"] for one in wall.json("set", "list")["sets"]}
    assert names == {"bad": 0, "later": 1}
    assert [rule["text"] for rule in wall.json("rule", "list")["rules"]] == ["drop from @bad"]


def test_a_session_is_guarded(direct: Instance) -> None:
    direct.done("attach", "veth0")
    direct.done("policy", "set", "ingress", "drop")
    direct.done("policy", "set", "ingress", "accept")
    ssh = {"SSH_CONNECTION": "10.9.0.2 50000 10.9.0.1 22"}
    refused = direct.here("rollback", **ssh)
    assert (refused.exit_code, direct.json("policy", "show")["ingress"]) == (8, "accept")
    assert direct.here("rollback", "--force", **ssh).exit_code == 0
    entries = json.loads(direct.here("history", "--audit", "-j").stdout)["entries"]
    assert entries[0]["address"] == "10.9.0.2"
