"""docs/reference/kernels.md out of results: what passed, what came later, what was not run."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from scripts.kernels.page import FEATURES, Feature, page
from tests.support.paths import ROOT


@pytest.mark.parametrize("feature", FEATURES, ids=lambda one: one.tests)
def test_a_feature_is_shown_by_tests_that_are_there(feature: Feature) -> None:
    file, _, name = feature.tests.partition("::")
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert any(one.startswith("test_") for one in names)
    assert not name or name in names


def test_the_cells_say_what_was_found() -> None:
    load, fields, *_ = FEATURES
    tcx = FEATURES[-1]
    passed = {"passed": True, "seconds": 1.0, "properties": {}}
    verified = {"verified": 12345, "seconds": 0.5, "variant": "xdp", "positions": 64}
    result: dict[str, Any] = {
        "release": "6.1.0-1-amd64",
        "code": 1,
        "seconds": 600.0,
        "too_young": {tcx.tests: "6.6"},
        "tests": {
            f"{load.tests}::test_x[a]": {**passed, "properties": verified},
            f"{fields.tests}::test_y": passed,
            f"{fields.tests}::test_z": {**passed, "passed": False},
            f"{tcx.tests.partition('::')[0]}::test_other": passed,
        },
    }
    lines = {line.split(" | ")[0].strip("| "): line for line in page([result]).splitlines()}
    assert lines[load.name].endswith("| ok, 1 |")
    assert lines[fields.name].endswith("| 1 of 2 fail |")
    assert lines[tcx.name].endswith("| no |")
    assert lines["tc, ingress and egress"].endswith("| ok, 1 |")
    assert lines["rates"].endswith("| - |")
    assert lines["`6.1.0-1-amd64`"].endswith("| 12,345 | 0.50 | 10 |")
