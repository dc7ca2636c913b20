"""One real service for all tests of the API; each test begins with an empty ruleset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.net.netns import Lab
from tests.support.service.service import Service

EMPTY: dict[str, Any] = {"version": 1, "policy": {}, "rules": [], "attachments": []}


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    lab = Lab("tests/api")
    lab.clean()
    space = lab.namespace("gate")
    lab.veth(space, "eth1", lab.namespace("box"), "eth0")
    lab.bridge(space, "docker0")
    folder: Path = tmp_path_factory.mktemp("service")
    try:
        with Service(space, folder, lab.bpffs) as service:
            yield service
    finally:
        lab.clean()


@pytest.fixture
def service(running: Service) -> Service:
    """The service with nothing attached, no rule, and every packet accepted."""
    assert running.call("PUT", "/switch", {"on": True}).status == 200
    emptied = running.call("PUT", "/ruleset", EMPTY)
    assert emptied.status == 200, emptied.content
    return running
