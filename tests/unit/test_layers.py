"""Who may import whom: the table of scripts/architecture.py, held against every import."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from graphlib import TopologicalSorter

import pytest

from scripts.architecture import (
    FLOORS,
    GROUND,
    NOT_PURE,
    PAGE,
    PURE,
    allowed,
    imports,
    page,
    sources,
)
from tests.support.paths import ROOT

KERNEL_ONLY = {"bcc", "ctypes", "pyroute2"}
SOURCES = sources(ROOT / "xdpwall")
GRAPH = {module: set(imports(module, path, SOURCES)) for module, path in SOURCES.items()}
OURS = {module: (names & SOURCES.keys()) - {module} for module, names in GRAPH.items()}


def room(module: str) -> str:
    """The package (or the module beside the packages) that a module belongs to."""
    return module.split(".")[1] if "." in module else "__init__"


def may(module: str, name: str) -> bool:
    """Whether the table lets `module` import `name`."""
    below = name.removeprefix("xdpwall.")
    return any(below == part or below.startswith(f"{part}.") for part in allowed(module))


def test_the_walk_sees_the_project() -> None:
    assert {"xdpwall", "xdpwall.errors", "xdpwall.api.app", "xdpwall.kernel.bpf.maps"} <= set(
        SOURCES
    )
    assert "xdpwall.errors" in GRAPH["xdpwall.settings"]


def test_the_walk_sees_imports_for_types_and_in_functions() -> None:
    assert "xdpwall.dataplane.dataplane" in GRAPH["xdpwall.instance.instance"]  # for types
    assert "xdpwall.attach.attacher" in GRAPH["xdpwall.instance.instance"]  # in a function


def test_every_module_has_a_place_in_the_table() -> None:
    assert {room(module) for module in SOURCES} - {"bpf"} == {*FLOORS, *GROUND}


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_imports_point_downward(module: str) -> None:
    assert [name for name in OURS[module] if not may(module, name)] == []


@pytest.mark.parametrize("package", sorted(PURE))
def test_pure_packages_import_only_pure_ones(package: str) -> None:
    assert not {name.split(".")[0] for name in FLOORS[package].split()} - PURE - GROUND.keys()
    for module, names in GRAPH.items():
        if room(module) == package:
            assert not {name.split(".")[0] for name in names} & NOT_PURE, module


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_only_the_kernel_package_talks_to_the_kernel(module: str) -> None:
    roots = {name.split(".")[0] for name in GRAPH[module]}
    if module == "xdpwall.trace.bcc_main":  # a process of its own, under any Python that has BCC
        roots -= {"bcc"}
    if room(module) != "kernel":
        assert not roots & KERNEL_ONLY


def test_no_circle_of_files() -> None:
    TopologicalSorter(OURS).prepare()


def test_no_circle_of_packages() -> None:
    rooms: dict[str, set[str]] = {}
    for module, names in OURS.items():
        if module != "xdpwall":  # the public door leads to all of them
            below = {room(name) for name in names}
            rooms.setdefault(room(module), set()).update(below - {room(module)})
    TopologicalSorter(rooms).prepare()


def test_no_circle_of_folders_within_a_package() -> None:
    for package in ("api", "cli", "kernel"):
        folders: dict[str, set[str]] = {}
        for module, names in OURS.items():
            if room(module) != package:
                continue
            for name in names:
                if room(name) == package and name.rpartition(".")[0] != module.rpartition(".")[0]:
                    folders.setdefault(_folder(module), set()).add(_folder(name))
        for folder, below in folders.items():
            below.discard(folder)
        TopologicalSorter(folders).prepare()


def test_no_circle_of_folders_in_the_bench() -> None:
    modules = sources(ROOT / "bench")
    folders: dict[str, set[str]] = {}
    for module, path in modules.items():
        if module in {"bench", "bench.__main__"}:
            continue
        below = {".".join(name.split(".")[:2]) for name in imports(module, path, modules)}
        here = ".".join(module.split(".")[:2])
        folders.setdefault(here, set()).update(below & _BENCH - {here})
    assert folders["bench.packets"]
    TopologicalSorter(folders).prepare()


_BENCH = {"bench.changes", "bench.instance", "bench.packets", "bench.report"}


def _folder(module: str) -> str:
    """api.routes for xdpwall.api.routes.rule; the module itself for one beside the folders."""
    parts = module.split(".")[1:]
    return ".".join(parts[:2])


def test_the_table_promises_no_more_than_is_used() -> None:
    unused: dict[str, set[str]] = {}
    for package, line in FLOORS.items():
        used = [name for module in SOURCES if room(module) == package for name in OURS[module]]
        for part in line.split():
            if not any(f"{name}.".startswith(f"xdpwall.{part}.") for name in used):
                unused.setdefault(package, set()).add(part)
    assert not unused


def test_docs_architecture_says_the_same() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "run: python -m scripts.architecture"


@pytest.mark.parametrize(
    ("graph", "fine"),
    [({"a": {"b"}, "b": set()}, True), ({"a": {"b"}, "b": {"a"}}, False)],
)
def test_a_circle_would_be_found(graph: Mapping[str, set[str]], fine: bool) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except ValueError:
        assert not fine
    else:
        assert fine


def test_a_class_name_stands_for_one_thing() -> None:
    homes: dict[str, list[str]] = {}
    for module, path in {**SOURCES, **sources(ROOT / "bench")}.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(module)
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}
