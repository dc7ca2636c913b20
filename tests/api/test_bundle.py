"""The page's modules as one script: each once, after what it needs, and nothing left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from xdpwall.api.serving.bundle import CannotBundle, bundle_scripts, bundle_sheets

WEB = ROOT / "web"


def put(folder: Path, **modules: str) -> Path:
    for name, text in modules.items():
        (folder / f"{name}.mjs").write_text(text)
    return folder


def test_what_is_vendored_stays_an_import(tmp_path: Path) -> None:
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor/lib-1.2.mjs").write_text("const x = 7;export{x as seven}")
    put(tmp_path, app='import { seven as n } from "./vendor/lib-1.2.mjs";\nconsole.log(n);\n')
    text = bundle_scripts(tmp_path)
    assert text.startswith('import * as $lib_1_2 from "./vendor/lib-1.2.mjs";\n')
    assert "const { seven: n } = $lib_1_2;" in text


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('import { app } from "./app.mjs";\n', "app.mjs -> app.mjs"),
        ('import "./other.mjs";\n', "not a form"),
        ("export default 1;\n", "not a form"),
        ('export * from "./other.mjs";\n', "not a form"),
    ],
)
def test_what_it_does_not_know_is_refused(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(CannotBundle, match=what):
        bundle_scripts(put(tmp_path, app=text))


def test_the_page_is_joined_whole() -> None:
    text = bundle_scripts(WEB)
    parts = re.findall(r"^const \$(\w+) = \(\(\) => \{$", text, re.MULTILINE)
    assert sorted(parts) == sorted(path.stem.replace("-", "_") for path in WEB.glob("*.mjs"))
    sheet = bundle_sheets(WEB)
    assert sheet.lstrip().startswith(":root {")
    for path in WEB.glob("*.css"):
        rules = re.sub(r"^/\*(?:[^*]|\*(?!/))*\*/\n", "", path.read_text(), flags=re.MULTILINE)
        assert all(line.strip() in sheet for line in rules.splitlines())


def test_only_comments_are_left_out(tmp_path: Path) -> None:
    kept = ['const url = "http://x"; ', "const t = `a; // b`;", "const half = 4 / 2 / 1;"]
    text = bundle_scripts(put(tmp_path, app="\n".join([*kept, "f({ // why", "}); // so", ""])))
    assert all(line.strip() in text for line in kept)
    assert "why" not in text
    assert "so" not in text


def test_no_string_of_the_page_looks_like_a_comment() -> None:
    """A quote that is open in front of a comment's beginning would be cut off with it."""
    for path in WEB.glob("*.mjs"):
        for line in path.read_text().splitlines():
            code, mark, _ = line.partition(" // ")
            if mark and not code.lstrip().startswith(("//", "*", "/*")) and code.strip():
                assert all(code.count(quote) % 2 == 0 for quote in "\"'`"), f"{path.name}: {line}"
