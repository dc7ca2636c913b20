"""What would cut off who asks for it, or who is logged in, is refused; --force and --confirm pass."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.cli.support import Instance, clean_environment
from tests.support.net.live_session import LiveSession
from tests.support.net.netns import wait_for
from tests.support.paths import ROOT

OWN = "your own connection from 10.9.0.2 port"
SHUT = ("rule", "add", "drop", "tcp/22")
DIRECT, SERVED = (
    pytest.mark.parametrize("wall", [way], indirect=True) for way in ("direct", "service")
)
"""The ways are the same but for who is told of the session: that is tried with both."""


@pytest.fixture
def session(wall: Instance) -> Iterator[LiveSession]:
    """A login from the box; the filter is on both sides of the host's cable."""
    assert wall.space is not None and wall.box is not None
    wall.done("attach", "veth0")
    wall.done("attach", "veth0", "--hook", "tc", "--direction", "egress")
    with LiveSession(wall.space, wall.box, "10.9.0.1") as made:
        yield made


def refused(wall: Instance, session: LiveSession, words: str, stdin: str | None = None) -> str:
    """What a change says that is refused; nothing is changed, and the session goes on."""
    before = wall.json("export")
    done = wall.here(*words.split(), stdin=stdin, **session.env)
    assert done.exit_code == 8, (words, done.output)
    assert "it all the same" in done.stderr
    assert wall.json("export") == before
    assert session.works()
    return done.stderr


def made(wall: Instance, session: LiveSession, words: str, stdin: str | None = None) -> str:
    """What a change says that is made; the session goes on."""
    done = wall.here(*words.split(), stdin=stdin, **session.env)
    assert done.exit_code == 0, (words, done.output)
    assert session.works()
    return done.stderr


@DIRECT
def test_rules_that_cut_the_session(wall: Instance, session: LiveSession) -> None:
    said = refused(wall, session, "rule add drop tcp/22")
    assert f"rule r1 (drop tcp/22) would cut {OWN}" in said
    assert "on veth0 (xdp)" in said
    assert "--confirm 60" in said
    for words in (
        "drop from not 192.0.2.0/24 on veth0",
        "drop tcp sport 22 out",
        "drop tcp flags syn/syn,ack",
        "drop tcp/22 length 200-300",
        "drop ethertype arp",
    ):
        refused(wall, session, f"rule add {words}")
    for words in (
        "drop icmp",
        "drop tcp/22 on veth1",
        "drop tcp/22 from not 10.9.0.0/24",
        "drop tcp sport 22 in",
        "accept from 10.9.0.2 --at 1",
        "drop tcp/22",
    ):
        made(wall, session, f"rule add {words}")
    first = wall.json("rule", "list")["rules"][0]["id"]
    refused(wall, session, f"rule delete {first}")
    refused(wall, session, f"rule disable {first}")
    refused(wall, session, f"rule set {first} --src 10.9.0.3")
    assert f"(drop tcp/22) would cut {OWN}" in refused(wall, session, f"rule move {first} --at 6")


@DIRECT
def test_policies_that_cut_the_session(wall: Instance, session: LiveSession) -> None:
    said = refused(wall, session, "policy set ingress drop -y")
    assert f"the policy ingress drop would cut {OWN}" in said
    said = refused(wall, session, "policy set egress drop -y")
    assert "the policy egress drop" in said
    assert "on veth0 (tc-egress)" in said
    said = refused(wall, session, "policy set non_ip drop -y")
    assert "the policy non_ip drop" in said
    assert "ARP" in said
    made(wall, session, "rule add 'accept tcp/22'".replace("'", ""))
    made(wall, session, "policy set ingress drop -y")
    refused(wall, session, "rule flush -y")


@DIRECT
def test_a_file_that_cuts_the_session(wall: Instance, session: LiveSession) -> None:
    text = "version: 1\nrules:\n- drop icmp\n- drop from 10.0.0.0/8 on veth0\n"
    assert "(drop from 10.0.0.0/8 on veth0)" in refused(wall, session, "apply -", text)
    made(wall, session, "apply -", "version: 1\nrules: [drop icmp, drop tcp/23]\n")
    bare = "version: 1\npolicy: {ingress: drop}\nrules: [drop icmp]\nattachments: []\n"
    made(wall, session, "apply -", bare)
    assert wall.json("status")["attachments"] == []
    refused(wall, session, "attach veth0")
    assert wall.json("status")["attachments"] == []
    there = "attachments: [{iface: veth0, hook: xdp, direction: ingress, mode: auto}]\n"
    same = bare.replace("attachments: []\n", there)
    refused(wall, session, "apply -", same)
    assert wall.json("status")["attachments"] == []
    made(wall, session, "apply -", same.replace("drop icmp", "accept tcp/22"))
    assert wall.json("status")["attachments"] != []


@SERVED
def test_sets_that_cut_the_session(wall: Instance, session: LiveSession) -> None:
    for words in ("set create friends", "set add friends 10.9.0.2 192.0.2.1"):
        made(wall, session, words)
    made(wall, session, "rule add drop from not @friends in")
    assert OWN in refused(wall, session, "set load friends - --allow-empty", "")
    said = refused(wall, session, "set remove friends 10.9.0.2")
    assert f"(drop from not @friends in) would cut {OWN}" in said
    made(wall, session, "set remove friends 192.0.2.1")
    made(wall, session, "set add friends 10.9.0.0/24")
    made(wall, session, "set remove friends 10.9.0.2")
    made(wall, session, "set create bad")
    made(wall, session, "rule add drop from @bad --at 1")
    refused(wall, session, "set add bad 10.9.0.0/30")
    refused(wall, session, "set load bad -", "10.0.0.0/8\n")
    made(wall, session, "set add bad 192.0.2.0/24")
    assert "on veth0 (tc-egress)" in refused(wall, session, "set add bad 10.9.0.1")


def test_rollback_and_on(wall: Instance, session: LiveSession) -> None:
    made(wall, session, "rule add drop tcp/22 --id shut --disabled")
    made(wall, session, "policy set neighbor_discovery judge -y")
    wall.done("off")
    made(wall, session, "rule enable shut")
    refused(wall, session, "on")
    assert wall.json("status")["on"] is False
    made(wall, session, "rule disable shut")
    made(wall, session, "on")
    refused(wall, session, "rollback")
    assert "nothing" not in made(wall, session, "rollback 0")


def test_force_and_confirm_pass_and_the_kernel_gives_the_session_back(
    wall: Instance, session: LiveSession
) -> None:
    done = wall.here(*SHUT, "--id", "shut", "--force", "--confirm", "1", **session.env)
    assert done.exit_code == 0, done.output
    assert f"rule shut (drop tcp/22) cuts {OWN}" in done.stderr
    session.knock()
    assert session.hear() == b"!"
    assert session.works()
    wait_for(lambda: wall.json("rule", "list")["rules"] == [], "the change is taken back")
    done = wall.here(*SHUT, "--confirm", "1", **session.env)
    assert done.exit_code == 0, done.output
    assert session.works()
    wait_for(lambda: wall.json("rule", "list")["rules"] == [], "the change is taken back")
    done = wall.here(*SHUT, "--id", "shut", "--force", **session.env)
    assert done.exit_code == 0, done.output
    session.knock()
    wait_for(lambda: wall.json("rule", "show", "shut")["packets"], "the session is cut")
    done = wall.here("detach", "--all", **session.env)
    assert done.exit_code == 0, done.output
    assert session.hear() == b"!"


@SERVED
def test_blocks(wall: Instance, session: LiveSession) -> None:
    done = wall.here("block", "10.9.0.0/24", **session.env)
    assert done.exit_code == 8
    assert "10.9.0.0/24 is where you come from (10.9.0.2)" in done.stderr
    made(wall, session, "block 10.9.0.3")
    assert "this host's address" in refused(wall, session, "block 10.9.0.1")
    refused(wall, session, "block tcp/22")
    made(wall, session, "block tcp/22 --except 10.9.0.2")


@DIRECT
def test_a_stranger_vetoes_nothing_and_is_told_of(wall: Instance, session: LiveSession) -> None:
    # Without a session of its own: the connection from the box is a stranger's.
    done = wall.here("rule", "add", "drop", "tcp/22")
    assert done.exit_code == 0, done.output
    said = "cuts 1 established connection: from 10.9.0.2 port"
    assert said in done.stderr
    assert "by rule r1 (drop tcp/22)" in done.stderr
    wall.done("rule", "delete", "r1")
    assert wall.here("block", "10.9.0.2").exit_code == 0


def test_the_session_is_found_behind_sudo() -> None:
    # sudo drops SSH_CONNECTION; the login shell above it still has it.
    probe = "from xdpwall.cli.ssh_session import login_session as s; print(s().text)"
    inner = f"env -u SSH_CONNECTION {sys.executable} -c '{probe}'; true"
    done = subprocess.run(
        ["env", "SSH_CONNECTION=10.0.0.2 50000 10.0.0.1 22", "sh", "-c", inner],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=clean_environment(),
    )
    assert done.stdout == "10.0.0.2 50000 10.0.0.1 22\n"
