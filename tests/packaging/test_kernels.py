"""scripts/kernels: which of Debian's kernels is taken, and what the table says of it."""

from __future__ import annotations

import pytest

from scripts.kernels.debian import newest
from scripts.kernels.guest import LEFT_OUT, TESTS, YOUNGER
from scripts.kernels.table import lines
from tests.support.paths import ROOT

OFFERED = [
    "linux-image-6.1.0-9-amd64",
    "linux-image-6.1.0-56-amd64",
    "linux-image-6.1.0-57-rt-amd64",
    "linux-image-6.1.0-57-cloud-amd64",
    "linux-image-6.1.0-57-amd64-unsigned",
    "linux-image-6.1.0-57-amd64-dbg",
    "linux-image-6.12-amd64",
    "linux-image-6.12.9+deb12-amd64",
    "linux-image-6.12.117+deb12-amd64",
    "linux-image-6.12.118+deb12-arm64",
    "linux-image-amd64",
]


@pytest.mark.parametrize(
    ("series", "release"),
    [("6.1", "6.1.0-56-amd64"), ("6.12", "6.12.117+deb12-amd64"), ("6.6", None)],
)
def test_newest(series: str, release: str | None) -> None:
    assert newest(series, OFFERED) == release


@pytest.mark.parametrize("test", sorted({*TESTS, *LEFT_OUT, *YOUNGER}))
def test_what_the_guest_runs_or_leaves_out_exists(test: str) -> None:
    file, _, function = test.partition("::")
    assert (ROOT / file).exists()
    if function:
        assert f"def {function}(" in (ROOT / file).read_text(encoding="utf-8")


def test_the_table_names_what_failed() -> None:
    def load(size: int, passed: bool = True) -> dict[str, object]:
        properties = {"variant": "xdp", "positions": size, "verified": 18969, "seconds": 0.02}
        return {"passed": passed, "seconds": 0.5, "properties": properties if passed else {}}

    result = {
        "release": "6.1.0-56-amd64",
        "code": 1,
        "seconds": 90,
        "too_young": {"tests/b.py::test_tcx": "6.6"},
        "tests": {
            "tests/a.py::test_x[1024]": load(1024),
            "tests/a.py::test_x[16384]": load(16384),
            "tests/a.py::test_x[8192]": load(8192, passed=False),
        },
    }
    assert lines(result) == [
        "Linux 6.1.0-56-amd64: FAILED (1 tests), 1.5 min",
        "  FAILED tests/a.py::test_x[8192]",
        "  left out tests/b.py::test_tcx: what it tests came with 6.6",
        "  tests                                    passed failed seconds",
        "  tests/a.py                                    2      1       2",
        "  verified         1,024 rules      16,384 rules",
        "  xdp           18,969  0.02 s    18,969  0.02 s",
    ]
