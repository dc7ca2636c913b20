"""The time of day is asked for in one place, so that no part believes another."""

from __future__ import annotations

import ast

import pytest

from scripts.architecture import sources
from tests.support.paths import ROOT

ASKING = {
    "time.time",
    "time.time_ns",
    "time.clock_gettime",
    "time.clock_gettime_ns",
    "time.gmtime",
    "time.localtime",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "datetime.datetime.now",
    "date.today",
}
MAY = {
    "xdpwall.kernel.clock",
    # What durations are counted from until the process knows better (take_time_from).
    "xdpwall.values.times",
    # A program for another Python, which imports nothing of ours.
    "xdpwall.trace.bcc_main",
}
SOURCES = sources(ROOT / "xdpwall")


def asked(text: str) -> set[str]:
    """The names in it that give the time of day, or the clock that packets are judged by."""
    tree = ast.parse(text)
    found = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            found |= {f"time.{one.name}" for one in node.names}
    return {name for name in found if name in ASKING}


def test_the_search_finds_them() -> None:
    for name in ASKING:
        assert asked(f"import time\nx = {name}(1)") == {name}
    assert asked("from time import time_ns") == {"time.time_ns"}
    assert not asked("import time\ntime.monotonic()")
    assert all(asked(SOURCES[module].read_text(encoding="utf-8")) for module in MAY)


@pytest.mark.parametrize("module", sorted(SOURCES.keys() - MAY))
def test_only_the_clock_asks(module: str) -> None:
    assert asked(SOURCES[module].read_text(encoding="utf-8")) == set()
