"""Attachments by policy on the command line, with the service and without."""

from __future__ import annotations

from tests.cli.support import Instance


def test_attachments_by_policy(wall: Instance) -> None:
    assert "veth*: xdp wanted; in place on veth0" in wall.done("attach", "veth*", "--hold")
    assert "already wanted" in wall.done("attach", "veth*")
    said = wall.done("attach", "ppp0", "--if-present", "--hook", "tc")
    assert "there is no interface called ppp0: attached when one comes" in said
    lines = wall.here("status").stdout.splitlines()
    table = [
        line.split() for line in lines[lines.index("") :] if line.startswith(("veth*", "ppp0"))
    ]
    assert [row[:2] for row in table] == [["veth*", "xdp,"], ["ppp0", "tc-ingress"]]
    assert table[0][2] == "held"
    refused = wall.run("attach", "veth*", "--replace")
    assert (refused.returncode, "replace" in refused.stderr) == (2, True)
    assert "detached: veth0 xdp, veth* xdp" in wall.done("detach", "veth*")
    assert "detached: ppp0 tc-ingress" in wall.done("detach", "ppp0")
    assert wall.json("status")["attachments"] == []
