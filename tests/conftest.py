"""For every test: a skip is a failure, since a skipped test hides what it would have found."""

from __future__ import annotations

import platform
import signal
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.lock_held import check_locks
from tests.support.net.netns import Lab

# The same examples in every run, however long each takes: a run of what has not changed says what
# the one before said. Others are drawn by `--hypothesis-profile=default`.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


def pytest_configure() -> None:
    # Whoever runs the suite in the background of a shell has Ctrl-C ignored, and every process of
    # the tests would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    check_locks()


def pytest_report_header() -> list[str]:
    return [f"kernel: {platform.release()}"]


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    # An expected failure is reported as skipped too; that one has run.
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"no test may be skipped: install or build what it lacks ({reason})"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Namespaces and a bpffs folder of this test's own, cleaned before and after."""
    made = Lab(request.node.nodeid)
    made.clean()
    yield made
    made.clean()
