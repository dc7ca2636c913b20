"""A host that drops by default, behind a router with a narrow path, and the world at its other end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.net.default_drop import DefaultDropHost
from tests.support.net.netns import Lab


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DefaultDropHost]:
    """One host for all: making it costs more than most tests. Each begins with reset()."""
    lab = Lab("tests/flows")
    lab.clean()
    try:
        with DefaultDropHost(lab, tmp_path_factory.mktemp("home")) as made:
            yield made
    finally:
        lab.clean()
