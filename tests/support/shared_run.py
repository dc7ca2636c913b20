"""One of several pytest processes that share one run of the tests (python -m scripts.run_tests).

pytest's plugin, `-p tests.support.shared_run`: every process collects all tests, in the same order, and runs
the files that it claims first. XDPWALL_TEST_CLAIMS is the folder in which it does. Tests marked `host` are
left to the process whose XDPWALL_TEST_HOST is 1, which begins with them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import pytest

Group = list[pytest.Item]
CLAIMS, HOST = "XDPWALL_TEST_CLAIMS", "XDPWALL_TEST_HOST"


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Run what is claimed; as pytest's own loop else. What was run is told when it ends."""
    if session.testsfailed and not session.config.option.continue_on_collection_errors:
        raise session.Interrupted(f"{session.testsfailed} errors during collection")
    folder, ran = Path(os.environ[CLAIMS]), 0
    try:
        for item, following in _with_next(_claimed(session.items, folder)):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            ran += 1
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)
    finally:
        told = {"ran": ran, "failed": session.testsfailed, "collected": len(session.items)}
        (folder / f"told-{os.getpid()}").write_text(json.dumps(told), encoding="utf-8")
    return True


def _claimed(items: list[pytest.Item], folder: Path) -> Iterator[pytest.Item]:
    """The tests of one file after the other; a file is claimed when the one before it is at its last test."""
    groups = [list(found) for _, found in groupby(items, _kind)]
    here = os.environ[HOST] == "1"
    order = sorted(range(len(groups)), key=lambda number: not _is_host(groups[number]))
    for number in order:
        if _is_host(groups[number]) and not here:
            continue
        try:
            (folder / f"group-{number}").touch(exist_ok=False)
        except FileExistsError:
            continue
        yield from groups[number]


def _kind(item: pytest.Item) -> tuple[str, bool]:
    """What keeps tests together: their file. One of a fixture with parameters may come twice."""
    return item.nodeid.partition("::")[0], item.get_closest_marker("host") is not None


def _is_host(group: Group) -> bool:
    return group[0].get_closest_marker("host") is not None


def _with_next(
    items: Iterable[pytest.Item],
) -> Iterator[tuple[pytest.Item, pytest.Item | None]]:
    """Each test with the one after it, for whose sake pytest keeps fixtures."""
    before: pytest.Item | None = None
    for item in items:
        if before is not None:
            yield before, item
        before = item
    if before is not None:
        yield before, None
