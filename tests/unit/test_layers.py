"""Who may import whom (docs/architecture.md), and how long a file may be."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "xdpwall"

PURE = {
    "compiler", "errors", "facade", "layout", "match", "model", "ruleset",
    "rulesetfile", "sentence", "settings", "values", "views",
}  # fmt: skip
"""No I/O: these import nothing of ours but each other."""

EDGES = {"__main__", "api", "cli"}
DOORS = {"doctor", "firewall"}
"""What an edge may call, besides the pure modules."""

KERNEL_ONLY = {"ctypes", "pyroute2", "bcc"}


def sources() -> dict[str, Path]:
    """Dotted module name -> file, for everything in the package; symlinks followed."""
    found = {}
    for folder in (PACKAGE, *(PACKAGE / name for name in ("api", "cli", "kernel"))):
        pattern = "*.py" if folder in (PACKAGE, PACKAGE / "api") else "**/*.py"
        for path in folder.glob(pattern):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(module: str, path: Path, modules: set[str]) -> Iterator[str]:
    """Absolute names of what the file imports anywhere but under `if TYPE_CHECKING`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            pending.extend(node.orelse)
            continue
        pending.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parent = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parent, base] if base else parent)
            for alias in node.names:
                name = f"{base}.{alias.name}"
                yield name if name in modules else base


def layer(module: str) -> str:
    """pure, kernel, middle, firewall, or edge."""
    part = module.split(".")[1] if "." in module else "xdpwall"
    if part in EDGES:
        return "edge"
    if part in PURE or part == "xdpwall":
        return "pure"
    return part if part in {"kernel", "firewall"} else "middle"


ALLOWED = {
    "pure": {"pure"},
    "kernel": {"pure", "kernel"},
    "middle": {"pure", "kernel", "middle"},
    "firewall": {"pure", "kernel", "middle"},
    "edge": {"pure", "edge"},
}

SOURCES = sources()
GRAPH = {
    module: {name for name in imports(module, path, set(SOURCES))}
    for module, path in SOURCES.items()
}


def test_the_walk_sees_the_project() -> None:
    assert {"xdpwall", "xdpwall.errors", "xdpwall.api", "xdpwall.kernel", "xdpwall.cli"} <= set(
        SOURCES
    )
    assert "xdpwall.errors" in GRAPH["xdpwall.settings"]


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_imports_point_downward(module: str) -> None:
    wrong = []
    for name in GRAPH[module] & set(SOURCES):
        fine = layer(name) in ALLOWED[layer(module)]
        if layer(module) == "edge" and name.removeprefix("xdpwall.") in DOORS:
            fine = True
        if module.startswith("xdpwall.api") and name.startswith("xdpwall.cli"):
            fine = False
        if not fine:
            wrong.append(name)
    assert not wrong, f"{module} ({layer(module)}) may not import {', '.join(wrong)}"


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_only_the_kernel_package_talks_to_the_kernel(module: str) -> None:
    roots = {name.split(".")[0] for name in GRAPH[module]}
    if layer(module) != "kernel":
        assert not roots & KERNEL_ONLY


def test_no_module_imports_itself_by_a_detour() -> None:
    packages = {module for module, path in SOURCES.items() if path.name == "__init__.py"}
    edges = {
        module: {name for name in names if name in SOURCES and name not in packages}
        for module, names in GRAPH.items()
    }
    TopologicalSorter(edges).prepare()


LIMITS = {".py": 400, ".c": 300, ".h": 300, ".mjs": 300}


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
