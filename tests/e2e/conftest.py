"""A way through the wall for all tests of traffic: making one costs more than most of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.net.netns import Lab
from tests.support.net.route import WAYS, Route, route


@pytest.fixture(scope="session", params=WAYS)
def way(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Route]:
    """Each way in turn; every test makes its own rules and may attach more, which it detaches."""
    lab = Lab(f"tests/e2e/{request.param}")
    lab.clean()
    try:
        with route(lab, request.param, tmp_path_factory.mktemp("wall")) as made:
            yield made
    finally:
        lab.clean()
