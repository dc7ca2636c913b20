"""Files and modules that documentation, comments and docstrings name exist."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

from scripts.architecture import sources
from tests.support.paths import ROOT

FILE = re.compile(
    r"(?<![\w./<>{}$*-])(?P<name>(?:\.{0,2}/)?(?:[\w.-]+/)*[\w-]+(?:\.[\w-]+)*\.(?:py|c|h|mjs|css|md|sh))"
    r"(?![\w*/]|\.\w)"
)
FOLDER = re.compile(
    r"(?<![\w./<>{}$*-])(?P<name>(?:xdpwall|api|bench|bpf|contrib|docs|packaging|scripts|tests|web)"
    r"/[\w./-]*[\w/])(?![\w*{]|\.[\w*])"
)
RUN = re.compile(r"python3? -m (?P<name>(?:\w+\.)*\w+)")
DOTTED = re.compile(r"(?<=[\s`(\[])(?P<name>(?:tests|bench|scripts)(?:\.\w+)+)")
LINK = re.compile(r"\]\((?P<name>[^)#:\s]+)(?:#[^)\s]*)?\)")
COMMENT = re.compile(r"/\*.*?\*/|(?<![:\"'`])//[^\n]*", re.DOTALL)

ELSEWHERE = re.compile(
    r"build/.*|project/\w+\.md|tests/packets/cases/|(linux|asm|asm-generic|bpf|net|sys|Documentation)/[\w/-]+\.(h|rst)"
)
"""What is built, the site's pages of the root's files, the cases that fuzzing keeps, headers of kernel and libbpf."""
LINKED = re.compile(r"^xdpwall/(?=(?:api|bpf|docs|web)\b)")
"""xdpwall/api and three others are symbolic links to folders at the root."""
TOOLS = {"pip", "pytest", "venv", "build", "http.server"}


def _listed() -> list[str]:
    """The files of the project, also those that are not committed yet."""
    out = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return [name for name in out.split("\0") if name and (ROOT / name).is_file()]


FILES = _listed()
FOLDERS = {str(parent) for name in FILES for parent in PurePosixPath(name).parents}
MODULES = {
    module
    for package in ("xdpwall", "bench", "scripts", "tests")
    for module in sources(ROOT / package)
}


def _python_prose(text: str) -> Iterator[str]:
    """The comments of a Python file, and strings that stand alone: docstrings."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield str(node.value.value)


def prose(name: str, text: str) -> str:
    """What a file says to its readers: all of it, or the comments of a source file."""
    suffix = PurePosixPath(name).suffix
    if suffix == ".py":
        return "\n".join(_python_prose(text))
    if suffix in {".c", ".h", ".mjs", ".css"}:
        return "\n".join(COMMENT.findall(text))
    return "" if suffix in {".html", ".json", ".svg"} else text


def resolves(name: str, beside: PurePosixPath) -> bool:
    """Whether `name` is a file or folder of the tree, or one in the folder `beside` or in xdpwall/,
    or the end of the path of exactly one file."""
    path = PurePosixPath(LINKED.sub("", name))
    for candidate in (path, beside / path, "xdpwall" / path):
        clean = _normal(candidate)
        if clean in FOLDERS or clean in FILES:
            return True
    return sum(f"/{known}".endswith(f"/{path}") for known in FILES) == 1


def _normal(path: PurePosixPath) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and parts:
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def missing(name: str, text: str) -> list[str]:
    """The files, folders, modules and links that a file names although there are none."""
    beside, said = PurePosixPath(name).parent, prose(name, text)
    paths = {match["name"] for pattern in (FILE, FOLDER) for match in pattern.finditer(said)}
    lost = [
        path
        for path in sorted(paths)
        if not ELSEWHERE.fullmatch(path) and not resolves(path, beside)
    ]
    run = {match["name"] for match in RUN.finditer(said)} - TOOLS
    dotted = {match["name"] for match in DOTTED.finditer(said)}
    inside = {module for module in dotted if module.rpartition(".")[0] in MODULES}
    lost += sorted((run | (dotted - inside)) - MODULES)
    if name.endswith(".md"):
        links = {match["name"] for match in LINK.finditer(said)}
        lost += sorted(link for link in links if not (ROOT / beside / link).exists())
    return lost


def test_what_is_named_exists() -> None:
    lost: dict[str, list[str]] = {}
    for name in FILES:
        if "vendor" in PurePosixPath(name).parts or name.endswith((".png", ".svg", ".xz")):
            continue
        if found := missing(name, (ROOT / name).read_text(encoding="utf-8")):
            lost[name] = found
    assert not lost


@pytest.mark.parametrize(
    ("name", "text", "lost"),
    [
        ("a.py", '"""See nowhere.py and errors.py."""\n', ["nowhere.py"]),
        ("a.py", "x = 1  # as in tests/nowhere/here.py\n", ["tests/nowhere/here.py"]),
        ("a.py", 'x = "nowhere.py"\n', []),
        ("a.c", "/* nowhere.h */\n#include <nowhere.h>\n", ["nowhere.h"]),
        ("a.md", "`xdpwall/abi.py`, `tests/unit`, `tests/nowhere`\n", ["tests/nowhere"]),
        ("a.md", "python -m bench, python -m bench.nowhere\n", ["bench.nowhere"]),
        ("a.md", "`tests.support.paths.ROOT`, `tests.nowhere.ROOT`\n", ["tests.nowhere.ROOT"]),
        ("docs/a.md", "[there](architecture.md#words) [not](nowhere.txt)\n", ["nowhere.txt"]),
    ],
)
def test_what_does_not_exist_would_be_found(name: str, text: str, lost: list[str]) -> None:
    assert missing(name, text) == lost
