"""off, on, detach and status while the service hangs, descriptors run out or the state folder is broken."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterator

import pytest

from tests.cli.support import Instance
from tests.support.net.ping import ping


def dropped(direct: Instance) -> bool:
    assert direct.box is not None
    return ping(direct.box, "10.9.0.1", 1, over=("eth0", "10.9.0.1")) == 0


def set_up(wall: Instance) -> None:
    for words in ("attach veth0", "rule add drop icmp"):
        done = wall.run(*words.split())
        assert done.returncode == 0, done.stderr
    assert dropped(wall)


@contextlib.contextmanager
def stopped(process: int) -> Iterator[None]:
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def test_a_service_that_hangs_is_gone_past(served: Instance) -> None:
    set_up(served)
    assert served.service is not None
    with stopped(served.service.pid):
        for words, passes in (("off", True), ("on", False), ("detach --all", True)):
            done = served.run(*words.split())
            assert done.returncode == 0, done.stderr
            assert "did not answer within" in done.stderr and "done without it" in done.stderr
            assert dropped(served) is not passes
            told = served.run("status")
            assert told.returncode == 0 and "did not answer within 2 s" in told.stderr
        refused = served.run("rule", "add", "drop", "udp")
        assert refused.returncode == 7
    # What it was asked meanwhile does not come back when it goes on.
    done = served.run("rule", "add", "drop", "udp")
    assert done.returncode == 0, done.stderr
    assert not dropped(served)
    status = served.json("status")
    assert status["attachments"] == [] and status["on"] is True and status["service"] is True


def test_a_change_whose_sender_did_not_wait_is_not_made(served: Instance) -> None:
    """The request is read after its deadline."""
    set_up(served)
    assert served.service is not None
    late = {"Xdpwall-Deadline": str(time.monotonic_ns())}
    soon = {"Xdpwall-Deadline": str(time.monotonic_ns() + 10**12)}
    for headers, status in ((late, 503), ({"Xdpwall-Deadline": "soon"}, 503), (soon, 200)):
        reply = served.service.call("PUT", "/switch", {"on": False}, **headers)
        assert reply.status == status
        assert dropped(served) is (status == 503)
    assert served.service.call("GET", "/rules", **late).status == 200


def test_descriptors_run_out(direct: Instance) -> None:
    """At whichever limit: it is done, or it is not done and the cause is told."""
    set_up(direct)
    done_at = []
    for limit in (6, 12, 24):
        shell = ["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh"]
        for command, passes in (("off", True), ("on", False)):
            done = direct.run(command, wrap=shell)
            if done.returncode == 0:
                assert dropped(direct) is not passes, (limit, command, done.stderr)
                done_at.append((limit, command))
            elif "Fatal Python error" not in done.stderr and "ImportError" not in done.stderr:
                # From there on Python itself comes up.
                assert "Too many open files" in done.stderr, (limit, command, done.stderr)
                assert "Traceback" not in done.stderr, (limit, command, done.stderr)
        assert direct.run("on").returncode == 0
        told = direct.run("status", wrap=shell)
        if told.returncode == 0:
            assert "veth0" in told.stdout
    assert {(12, "off"), (12, "on"), (24, "off")} <= set(done_at), done_at
    assert (
        direct.run("detach", "veth0", wrap=["sh", "-c", 'ulimit -n 16; exec "$@"', "sh"]).returncode
        == 0
    )
    assert not dropped(direct)


def test_the_state_folder_is_broken(direct: Instance) -> None:
    set_up(direct)
    database = direct.state_dir / "xdpwall.db"
    kept = direct.state_dir.with_name("kept")
    shutil.copytree(direct.state_dir, kept)
    for path in direct.state_dir.glob("xdpwall.*"):  # the second copy too
        path.unlink()
    database.write_bytes(b"damaged " * 512)
    status = direct.run("status")
    assert status.returncode == 0
    assert "is damaged" in status.stderr
    assert "not known, revision 1" in status.stdout and "veth0" in status.stdout
    told = direct.json("status")
    assert "rules" not in told and told["kernel"]["revision"] == 1
    off = direct.run("off")
    assert (off.returncode, dropped(direct)) == (0, False)
    assert "not recorded" in off.stderr and "OFF: every packet passes" in off.stderr
    assert "OFF" in direct.run("status").stdout
    assert direct.run("rule", "list").returncode == 1
    assert direct.run("on").returncode == 0 and dropped(direct)
    gone = direct.run("detach", "--all", "-j")
    assert gone.returncode == 0 and "veth0 xdp" in gone.stdout and "not recorded" in gone.stdout
    assert not dropped(direct)
    shutil.rmtree(direct.state_dir)
    shutil.copytree(kept, direct.state_dir)
    restored = direct.run("restore")
    assert restored.returncode == 0 and "attached" not in restored.stderr, restored.stderr
    assert not dropped(direct)


@pytest.mark.parametrize("command", ["off", "on"])
def test_a_guard_alone_holds_on_back(direct: Instance, command: str) -> None:
    """Also where only the kernel knows the policy."""
    set_up(direct)
    assert direct.run("policy", "set", "ingress", "drop", "-y").returncode == 0
    assert direct.run("off").returncode == 0
    (direct.state_dir / "xdpwall.db").write_bytes(b"damaged " * 512)
    session = {"SSH_CONNECTION": "10.9.0.2 50000 10.9.0.1 22"}
    done = direct.run(command, env=session)
    assert done.returncode == (8 if command == "on" else 0), done.stderr
    assert direct.run("on", "--force", env=session).returncode == 0
    assert dropped(direct)
