"""python -m scripts.kernels.guest FILE [TESTS]: the tests to run inside another kernel, results as JSON."""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

TESTS = (
    "tests/packets",
    "tests/kernel/attach/test_xdp.py",
    "tests/kernel/attach/test_tc.py",
    "tests/kernel/bpf/test_batch.py",
    "tests/kernel/bpf/test_map_word.py",
    "tests/firewall/test_doctor.py",
    "tests/firewall/clock_set.py",
    "tests/kernel/bpf/test_btf_kernel.py",
    "tests/kernel/net/test_netlink.py",
    "tests/trace/test_trace.py",
)

LEFT_OUT = {
    "tests/packets/test_large_rulesets.py",
    "tests/packets/test_against_reference.py::test_a_planted_fault_is_found_and_shrunk",
    "tests/packets/test_kept_cases.py::test_fuzzing_keeps_what_fails",
}
"""Tests of the comparison itself, not of a kernel, and slow under emulation."""

YOUNGER = {
    "tests/firewall/test_doctor.py::test_xdp_features_follow_the_drivers": (6, 3),
    "tests/kernel/attach/test_tc.py::test_tcx_programs_are_told_as_bypassing": (6, 6),
    "tests/firewall/test_doctor.py::test_interfaces_and_others_programs": (6, 6),
}
"""Tests of what came later than 6.1: drivers telling their XDP features, tcx."""


class Recorder:
    """The result of each test, for the table."""

    def __init__(self) -> None:
        self.tests: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """pytest's hook, called for the setup, the call and the teardown of each test."""
        noted = self.tests.setdefault(report.nodeid, {"passed": True, "seconds": 0.0})
        noted["seconds"] += report.duration
        noted["passed"] &= not report.failed
        noted["properties"] = dict(report.user_properties)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """pytest's hook, called for each file that was read."""
        if report.failed:
            self.tests[report.nodeid] = {"passed": False, "seconds": 0.0, "properties": {}}


def main(file: Path, tests: Sequence[str]) -> int:
    """The exit code."""
    begun = time.monotonic()
    version = tuple(int(part) for part in platform.release().split(".")[:2])
    too_young = {test: since for test, since in YOUNGER.items() if version < since}
    deselect = [f"--deselect={test}" for test in LEFT_OUT | set(too_young)]
    recorder = Recorder()
    code = pytest.main(
        ["-q", "--tb=short", "-p", "no:cacheprovider", *deselect, *tests], plugins=[recorder]
    )
    result = {
        "release": platform.release(),
        "code": int(code),
        "seconds": time.monotonic() - begun,
        "too_young": {test: f"{since[0]}.{since[1]}" for test, since in too_young.items()},
        "tests": recorder.tests,
    }
    file.write_text(json.dumps(result, indent=1), encoding="utf-8")
    return int(code)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:] or TESTS))
