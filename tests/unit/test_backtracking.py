"""No regular expression takes more than linear time, whatever it is given: they meet input from outside."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.backtracking import Automaton
from tests.unit.test_layers import SOURCES
from xdpwall.api.app import ROUTERS

WEB = Path(__file__).parents[2] / "web"
JAVASCRIPT = re.compile(
    r"""(?<=[(=,:\[!&|?{}; ])/(?![/*\s])((?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)/([gimsuy]*)(?=[.,;)\]])"""
)
"""A literal of JavaScript, its pattern and its flags."""
FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "g": 0}
BOUNDED = {
    r"\B(?=(\d{3})+$)": "format.mjs: the digits of one number",
    r"^[ \t]*(?://.*|/\*\*(?:[^*]|\*(?!/))*\*/[ \t]*)\n": "bundle.py: the page's own scripts, by nobody else",
    r"^/\*(?:[^*]|\*(?!/))*\*/\n": "bundle.py: the page's own sheets, by nobody else",
    r"!?\[((?:[^\[\]]|\[[^\]]*\])*)\]\([^)]*\)": "markdown.py: a line of our own documentation",
    r"\*\*(.+?)\*\*|(?<!\*)\*([^*\s][^*]*)\*(?!\*)": "markdown.py: a line of our own documentation",
}
"""Patterns that are not linear, but whose text is never long."""

Found = tuple[str, str, int, bool]
"""Where, the pattern, its flags, and whether it may begin anywhere in the text."""


def of_python() -> Iterator[Found]:
    """Every pattern of the package: compiled ones of the modules, and literals within functions."""
    for name, path in sorted(SOURCES.items()):
        text = path.read_text(encoding="utf-8")
        if name.endswith(".h11_patterns"):
            continue  # h11 asks these: of_h11().
        if "import re\n" not in text:
            assert "from re import" not in text, f"{name}: import re itself"
            continue
        tree = ast.parse(text)
        module = importlib.import_module(name)
        named = {
            node.value: target.id
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Name)
        }
        for node in ast.walk(tree):
            function = _function(node)
            if function is None or function in ("escape", "purge"):
                continue
            assert isinstance(node, ast.Call)
            where = f"{name}:{node.lineno}"
            if function == "compile" and node in named:
                compiled = getattr(module, named[node])
                search = not _at_the_beginning(tree, named[node])
                yield where, compiled.pattern, compiled.flags, search
            else:
                assert function != "compile", f"{where}: compile it as the module's constant"
                literal = node.args[0]
                assert isinstance(literal, ast.Constant), f"{where}: give it a literal"
                assert isinstance(literal.value, str), f"{where}: a pattern for text"
                yield where, literal.value, 0, function not in ("match", "fullmatch")


def _function(node: ast.AST) -> str | None:
    """The name of the function of `re` that is called."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        owner = node.func.value
        if isinstance(owner, ast.Name) and owner.id == "re":
            return node.func.attr
    return None


def _at_the_beginning(tree: ast.Module, name: str) -> bool:
    """Whether the module asks this pattern for nothing but match and fullmatch."""
    uses = [
        node for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
    ]  # fmt: skip
    asked = [
        node.value for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("match", "fullmatch")
    ]  # fmt: skip
    return bool(uses) and all(use in asked for use in uses)


def of_routes() -> Iterator[Found]:
    for router in ROUTERS:
        for route in router.routes:
            pattern = getattr(route, "path_regex")  # noqa: B009  # an APIRoute's
            yield f"route {pattern.pattern}", pattern.pattern, pattern.flags, False


def of_page() -> Iterator[Found]:
    for path in sorted(WEB.glob("*.mjs")):
        for found in JAVASCRIPT.finditer(path.read_text(encoding="utf-8")):
            flags = 0
            for flag in found[2]:
                flags |= FLAGS[flag]
            yield f"web/{path.name}", found[1], flags, True


def of_h11() -> Iterator[Found]:
    """The HTTP library's, which every byte of a request meets first."""
    importlib.import_module("xdpwall.api.server")
    for name in ("_events", "_headers", "_readers", "_receivebuffer"):
        for which, pattern in vars(importlib.import_module(f"h11.{name}")).items():
            if isinstance(pattern, re.Pattern):
                where, search = f"h11.{name}:{which}", which == "blank_line_regex"
                yield where, pattern.pattern.decode(), pattern.flags, search


ALL = [*of_python(), *of_routes(), *of_page(), *of_h11()]


def test_the_walk_sees_them() -> None:
    where = {one[0].partition(":")[0] for one in ALL}
    assert {"h11._readers", "h11._headers"} <= where
    modules = {one.rpartition(".")[2] for one in where}
    assert {"sentence_read", "yaml_fast", "bundle", "load_errors"} <= modules
    assert {"web/api.mjs", "web/format.mjs"} <= where
    assert sum(one[0].startswith("route ") for one in ALL) > 25
    assert set(BOUNDED) <= {one[1] for one in ALL}


@pytest.mark.parametrize(
    ("where", "pattern", "flags", "search"), ALL, ids=[f"{one[0]}-{one[1]}"[:60] for one in ALL]
)
def test_it_is_linear(where: str, pattern: str, flags: int, search: bool) -> None:
    if pattern not in BOUNDED:
        assert Automaton(pattern, flags, search=search).fault() is None, (where, pattern)


@pytest.mark.parametrize(
    ("pattern", "search"),
    [
        (r"(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=[01])?\s*(?:,|$)", True),
        (r"\S*$", True),
        (r"( *)(- +)?(?: +#.*| *)", False),
        (r"a*a*b", False),
        (r"a*?b?a*?c", False),
        (r".*=.*;", False),
        (r"x*y|[a-z]*[0-9x]*z", False),
        (r"a(?:.*b)?", True),
        (r"[ab]+(?<=a)", True),
        (r"(?:a+){2,40}b", False),
        (r"(?=.*;)x|(?:(?=.*;)a)*", False),
        (r"(?:a++)*a*+b|\d+,?\d+;", False),
    ],
)
def test_one_that_takes_a_power_of_the_length_is_found(pattern: str, search: bool) -> None:
    fault = Automaton(pattern, search=search).fault()
    assert fault is not None


@pytest.mark.parametrize(
    "pattern", [r"(a+)+b", r"(a*)*b", r"(a|a)*b", r"(a|ab|b)*c", r"(?:a*b?)*c", r"(\w+\s*)*;"]
)
def test_one_that_takes_exponential_time_is_found(pattern: str) -> None:
    fault = Automaton(pattern).fault()
    assert fault is not None and fault.startswith("exponential")


@pytest.mark.parametrize(
    ("pattern", "search"),
    [
        (r"(a+b)+c", False),
        (r"'((?:[^']|'')*)'", False),
        (r"( *+)(- ++)?([!-~]*)? *+(?:(?<= )#.*)?", False),
        (r"[a:]*(?<!:):|[a-z]+;", False),
        (r"(?: +(?=[^ ])x*)* ", False),
        (r"a{32,256}", False),
        (r":[0-9]{1,5}$", True),
        (r"[#;].*", True),
        (r"\s+", True),
        (r"^\s*;", True),
        (r"^(?:import|export) .*", True),
    ],
)
def test_one_that_is_linear_is_let_pass(pattern: str, search: bool) -> None:
    assert Automaton(pattern, search=search).fault() is None
