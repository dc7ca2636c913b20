"""How long a file may be."""

from __future__ import annotations

import subprocess

from tests.support.paths import ROOT

LIMITS = {".py": 370, ".c": 300, ".h": 300, ".mjs": 300}


def test_no_file_has_outgrown_one_responsibility() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    long = {}
    for name in listed:
        path = ROOT / name
        limit = LIMITS.get(path.suffix)
        if limit is None or "vendor" in path.parts or not path.is_file():
            continue
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > limit:
            long[name] = f"{lines} lines, limit {limit}"
    assert not long
