"""Every network namespace is found by what holds it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.support.net.netns import Lab, Namespace, wait_for
from xdpwall.kernel.net.namespaces import known_ids, namespaces, run_in


@contextmanager
def by_name(space: Namespace) -> Iterator[str]:
    yield f"network namespace {space.name}"


@contextmanager
def by_a_process(space: Namespace) -> Iterator[str]:
    process = subprocess.Popen(space.argv("sleep", "infinity"))
    try:
        wait_for(
            lambda: os.stat(f"/proc/{process.pid}/ns/net").st_ino == space.inode, "it has entered"
        )
        inode = space.inode
        space.run("ip", "netns", "del", space.name)
        yield f"network namespace {inode} (of process {process.pid}, sleep)"
    finally:
        process.kill()
        process.wait()


@contextmanager
def by_a_descriptor(space: Namespace) -> Iterator[str]:
    with open(space.path) as held:
        inode = os.fstat(held.fileno()).st_ino
        space.run("ip", "netns", "del", space.name)
        yield f"network namespace {inode} (of process {os.getpid()}"


@contextmanager
def by_another_mount_namespace(space: Namespace) -> Iterator[str]:
    keep = f"mount -t tmpfs none /mnt; touch /mnt/kept; mount --bind {space.path} /mnt/kept"
    then = "echo ready; exec sleep infinity"
    words = ["unshare", "-m", "--propagation", "private", "sh", "-ec", f"{keep}; {then}"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        with process.stdout as ready:
            assert ready.readline()
        inode = space.inode
        space.run("ip", "netns", "del", space.name)
        yield f"network namespace {inode} (mounted at /proc/{process.pid}/root/mnt/kept)"
    finally:
        process.kill()
        process.wait()


HOLDERS: dict[str, tuple[Callable[[Namespace], AbstractContextManager[str]], bool]] = {
    "a name": (by_name, False),
    "a process": (by_a_process, False),
    "a descriptor": (by_a_descriptor, True),
    "another mount namespace": (by_another_mount_namespace, True),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_holders(lab: Lab, holder: str) -> None:
    hold, thorough = HOLDERS[holder]
    space = lab.namespace("held")
    inode = space.inode
    space.ip("link add mark0 type veth peer name mark1")
    with hold(space) as words:
        found = {one.inode: one for one in namespaces(thorough=thorough)}
        assert found[inode].words.startswith(words)
        names = run_in(found[inode].path, lambda: os.listdir("/proc/thread-self/net/dev_snmp6"))
        assert "mark0" in names
        if thorough:
            assert inode not in {one.inode for one in namespaces()}


def test_one_that_was_moved_to_has_an_id(lab: Lab) -> None:
    here, there = lab.namespace("here"), lab.namespace("there")
    with here.inside():
        assert known_ids() == []
        here.ip("link add veth0 type veth peer name veth1")
        here.ip(f"link set veth0 netns {there.name}")
        assert len(known_ids()) == 1
