"""What is served: vendored files as pinned, small, and nothing from elsewhere."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "web"
LIMIT = 60_000
PAGE = sorted(
    path for path in WEB.rglob("*") if path.suffix in (".html", ".mjs", ".js", ".css", ".svg")
)
OWN = [path for path in PAGE if "vendor" not in path.parts]


def test_vendored_files_are_those_of_the_manifest() -> None:
    entries = json.loads((WEB / "vendor/manifest.json").read_text())
    pinned = {entry["path"]: entry["sha256"] for entry in entries}
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (WEB / "vendor").iterdir()
        if path.name != "manifest.json"
    }
    assert found == pinned


def test_the_page_is_small() -> None:
    assert sum(len(gzip.compress(path.read_bytes(), 9)) for path in PAGE) < LIMIT


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_no_file_is_long_or_asks_elsewhere(path: Path) -> None:
    text = path.read_text().replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert len(text.splitlines()) <= 300
    assert not re.search(r"https?:|dangerouslySetInnerHTML|innerHTML|\beval\(|\sstyle=\"", text)
