"""What is served: vendored files as pinned, and nothing from elsewhere."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.paths import ROOT
from xdpwall.api.serving.bundle import bundle_scripts

WEB = ROOT / "web"
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


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_no_file_is_long_or_asks_elsewhere(path: Path) -> None:
    text = path.read_text().replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert len(text.splitlines()) <= 300
    assert not re.search(r"https?:|dangerouslySetInnerHTML|innerHTML|\beval\(|\sstyle=\"", text)


def test_joined_modules_see_each_others_exports_and_nothing_else(
    browser: Browser, tmp_path: Path
) -> None:
    modules = {
        "app": 'import { one, two as second } from "./a.mjs";\nimport { hello } from "./b.mjs";\n'
        "const mine = 3;\nconsole.log(one, second(), mine, hello.text);\n",
        "a": "// A line.\n/**\n * const mine = 2; */\nconst mine = 1; // of a\nexport const one = mine;\n"
        "export function two() {\n  return mine + 1;\n}\n",
        "b": 'import {\n  one,\n} from "./a.mjs";\nconst hello = { text: `${one} world` };\n'
        "export { hello };\n",
    }
    for name, text in modules.items():
        (tmp_path / f"{name}.mjs").write_text(text)
    page = browser.new_page()
    with page.expect_console_message() as said:
        page.add_script_tag(content=bundle_scripts(tmp_path), type="module")
    assert said.value.text == "1 2 3 1 world"
    page.close()
