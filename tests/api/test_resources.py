"""What the machine lacks is told by its name: open files that are all in use."""

from __future__ import annotations

import http.client
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.net.netns import Lab, wait_for
from tests.support.service.service import Reply, Service
from xdpwall.api.errors import OUT_OF_RESOURCES, unexpected_problem


@pytest.fixture
def own(lab: Lab, tmp_path: Path) -> Iterator[Service]:
    with Service(lab.namespace(), tmp_path, lab.bpffs) as service:
        yield service


def call(own: Service, path: str) -> Reply | None:
    """The answer, None where there was no descriptor for the connection."""
    try:
        return own.call("GET", path)
    except (ConnectionResetError, http.client.RemoteDisconnected):
        return None


def test_too_many_open_files_are_told(own: Service) -> None:
    """Wherever the last descriptor is missing: at the modules that a first request imports, too."""
    told = 0
    used = {int(name) for name in os.listdir(f"/proc/{own.pid}/fd")}
    # From what suffices down to where no connection is accepted: which number that is may change meanwhile,
    # since the service's threads open and close some of their own.
    for limit in range(max(used) + 8, 3, -1):
        resource.prlimit(own.pid, resource.RLIMIT_NOFILE, (limit, 4096))
        paths = ("/metrics", "/interfaces", "/status", "/sets", "/events/settings")
        replies = [reply for path in paths if (reply := call(own, path)) is not None]
        resource.prlimit(own.pid, resource.RLIMIT_NOFILE, (4096, 4096))
        for reply in replies:
            assert reply.status in (200, 500, 503), reply.content
            if reply.status != 200:
                assert "Too many open files" in reply.json["detail"]
                told += 1
        if not replies:
            break
    assert told
    # It may still be turning connections away.
    wait_for(lambda: bool((reply := call(own, "/metrics")) and reply.status == 200), "an answer")


@pytest.mark.parametrize("number", OUT_OF_RESOURCES)
def test_what_the_system_lacks_is_no_defect(number: int) -> None:
    answer = unexpected_problem(OSError(number, os.strerror(number), "/var/lib/xdpwall/x"))
    assert answer.status_code == 503
    assert os.strerror(number) in bytes(answer.body).decode()
