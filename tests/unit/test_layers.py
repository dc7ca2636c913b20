"""Who may import whom (docs/architecture.md), and how long a file may be."""

from __future__ import annotations

import ast
import os
import subprocess
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "xdpwall"

ACTING = {
    "addresstable", "advice", "applying", "attach", "attachments", "attachmentviews", "background", "changes", "dataplane",
    "doctor", "doctorlinks", "eventnames", "eventreader", "instance", "interfaces", "lock", "mapset", "metrics", "namespace", "orphans", "pins",
    "percpu", "pinnedcounters", "places", "quicklist", "reader", "recovery", "restoring", "setbulk", "setchanges",
    "setengine", "setexpiry", "setfacade", "setloads", "setmaps", "settables", "settling", "setviews",
    "store", "trace",
}  # fmt: skip
"""Between the facade and the kernel: these touch the disk or the kernel. What is named nowhere
here is pure: it imports nothing of ours that is not pure too."""

EDGES = {"__main__", "api", "cli"}
DOORS = {
    "doctor",
    "firewall",
    "namespace",
    "quicklist",
    "trace.filters",
    "trace.summary",
    "trace.tracer",
}
"""What an edge may call, besides the pure modules."""

OUTSIDE = {"fcntl", "mmap", "sqlite3", "subprocess"}
"""Of the standard library, what a pure module has no use for."""

KERNEL_ONLY = {"ctypes", "pyroute2", "bcc"}


def sources() -> dict[str, Path]:
    """Dotted module name -> file, for everything in the package; symlinks followed."""
    found = {}
    for top, _, names in os.walk(PACKAGE, followlinks=True):
        for name in names:
            path = Path(top, name)
            if path.suffix == ".py":
                parts = path.relative_to(ROOT).with_suffix("").parts
                found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(module: str, path: Path, modules: set[str], *, at_once: bool) -> Iterator[str]:
    """Absolute names of what the file imports, but for `if TYPE_CHECKING`.

    `at_once`: only what is imported when the module is, not later in a function.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            pending.extend(node.orelse)
            continue
        if at_once and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
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
    """pure, kernel, acting, firewall, or edge."""
    part = module.split(".")[1] if "." in module else "xdpwall"
    if part in {"kernel", "firewall"}:
        return part
    return "edge" if part in EDGES else "acting" if part in ACTING else "pure"


ALLOWED = {
    "pure": {"pure"},
    "kernel": {"pure", "kernel"},
    "acting": {"pure", "kernel", "acting"},
    "firewall": {"pure", "kernel", "acting"},
    "edge": {"pure", "edge"},
}

SOURCES = sources()
GRAPH = {
    module: {name for name in imports(module, path, set(SOURCES), at_once=False)}
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
    if layer(module) == "pure":
        wrong += [name for name in GRAPH[module] if name.split(".")[0] in OUTSIDE]
    assert not wrong, f"{module} ({layer(module)}) may not import {', '.join(wrong)}"


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_only_the_kernel_package_talks_to_the_kernel(module: str) -> None:
    roots = {name.split(".")[0] for name in GRAPH[module]}
    if module == "xdpwall.trace.probe":  # a process of its own, under any Python that has BCC
        roots -= {"bcc"}
    if layer(module) != "kernel":
        assert not roots & KERNEL_ONLY


def test_no_module_imports_itself_by_a_detour() -> None:
    graph = {
        module: {
            name
            for name in imports(module, path, set(SOURCES), at_once=True)
            if name in SOURCES and SOURCES[name].name != "__init__.py"
        }
        for module, path in SOURCES.items()
    }
    TopologicalSorter(graph).prepare()


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
