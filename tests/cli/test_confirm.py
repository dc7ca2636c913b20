"""--confirm, confirm and rollback on the command line, with the service and without."""

from __future__ import annotations

from tests.cli.support import Instance
from tests.support.net.netns import wait_for
from tests.support.net.ping import ping


def pings(wall: Instance) -> int:
    assert wall.box is not None
    return ping(wall.box, "10.9.0.1", 2, over=("eth0", "10.9.0.1"))


def wait_until_reverted(wall: Instance) -> None:
    wait_for(lambda: not wall.json("status").get("pending"), "the deadline", every=0.1)


def test_a_change_is_confirmed(wall: Instance) -> None:
    wall.done("attach", "veth0")
    made = wall.done("rule", "add", "drop", "icmp", "--confirm", "600")
    assert "waits for its confirmation: `xdpwall confirm 1` within 600 s" in made
    assert pings(wall) == 0
    status = wall.here("status").stdout
    assert "revision 1 (add r1) is taken back in" in status
    refused = wall.run("rule", "add", "drop", "udp")
    assert (refused.returncode, "revision 1 waits" in refused.stderr) == (5, True)
    assert wall.run("confirm", "7").returncode == 5
    would = wall.done("policy", "set", "ingress", "drop", "--dry-run")
    assert "waits" not in would, "what waits is another change"
    assert "revision 1 is confirmed" in wall.done("confirm", "1")
    again = wall.run("confirm")
    assert (again.returncode, "no change waits" in again.stderr) == (3, True)
    assert "waits" not in wall.here("status").stdout
    assert pings(wall) == 0


def test_a_change_is_taken_back(wall: Instance) -> None:
    wall.done("attach", "veth0")
    wall.done("rule", "add", "drop", "icmp", "--confirm", "600")
    assert "taken back: revision 0 is in force" in wall.done("rollback")
    assert pings(wall) == 2
    assert wall.run("rollback").returncode == 3
    outcome = wall.json("rule", "add", "drop", "icmp", "--confirm", "1")
    assert outcome["pending"]["seconds"] == 1
    wait_until_reverted(wall)
    assert pings(wall) == 2
    wall.done("off")
    wall.done("on")
    for late in (wall.run("confirm", str(outcome["revision"])), wall.run("confirm")):
        assert (late.returncode, "is reverted: revision 1 is in force" in late.stderr) == (5, True)
    assert wall.run("confirm", "7").returncode == 3
    wall.done("rule", "add", "drop", "udp")
    assert wall.run("confirm").returncode == 3
    wall.done("rollback")
    assert wall.json("rule", "list")["rules"] == []


def test_attach_and_detach_on_trial(wall: Instance) -> None:
    wall.done("rule", "add", "drop", "icmp")
    made = wall.done("attach", "veth0", "--confirm", "600")
    assert "waits for its confirmation" in made
    assert pings(wall) == 0
    wall.done("confirm")
    gone = wall.done("detach", "veth0", "--confirm", "600")
    assert "detach veth0 xdp: its packets pass" in gone
    assert pings(wall) == 2
    wall.done("rollback")
    assert pings(wall) == 0
    assert wall.run("attach", "veth0", "--replace", "--confirm", "9").returncode == 2


def test_a_whole_file(wall: Instance) -> None:
    wall.done("attach", "veth0")
    file = "version: 1\nsets: {bad: {entries: [10.9.0.2]}}\nrules: [drop from @bad]\n"
    wall.done("apply", "-", "--confirm", "600", stdin=file)
    assert pings(wall) == 0
    wall.done("rollback")
    assert pings(wall) == 2
    assert wall.json("set", "list")["sets"] == []
