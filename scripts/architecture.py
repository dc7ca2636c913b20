"""python -m scripts.architecture: the tree and the dependencies of docs/architecture.md, written anew.

Who may import whom stands here once: tests/unit/test_layers.py holds every import against it, and
holds the page against what this makes.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"

FLOORS = {
    "values": "errors",
    "kernel": "errors closing trusted",
    "rule": "values errors",
    "sets": "values abi errors",
    "ruleset": "rule sets values limits gcpause errors",
    "formats": "ruleset sets values errors",
    "compiler": "ruleset rule values abi errors",
    "check": "ruleset rule sets values",
    "views": "ruleset values",
    "attach": "containers views ruleset rule kernel values errors",
    "containers": "views kernel values closing trusted errors",
    "store": "views ruleset rule sets kernel values trusted errors",
    "dataplane": "compiler views ruleset sets kernel values abi closing limits errors",
    "events": "store views rule kernel values abi closing trusted settings version errors",
    "instance": "dataplane attach store compiler ruleset rule sets kernel values trusted settings errors",
    "explain": "dataplane events compiler views ruleset rule sets values abi closing errors",
    "changes": "explain instance dataplane attach store compiler views ruleset rule sets kernel values abi limits"
    " closing errors",
    "trace": "changes instance events dataplane views kernel values abi closing settings errors",
    "firewall": "explain check changes instance events dataplane containers attach store views ruleset rule sets kernel values"
    " abi gcpause trusted settings version errors",
    "api": "firewall views ruleset rule sets values limits gcpause trusted settings version errors",
    "cli": "api trace firewall containers instance.namespace events.filter events.settings events.pcapng formats"
    " views ruleset rule sets values settings version errors",
}
"""For each package of xdpwall/: what it may import besides itself. A name with a dot is one module."""

GROUND = {
    "errors": "",
    "closing": "",
    "limits": "",
    "gcpause": "",
    "trusted": "errors",
    "settings": "errors",
    "abi": "limits",
    "__main__": "cli",
    "version": "",
    "__init__": "errors firewall rule ruleset settings version",
}
"""The same for each module beside the packages."""

PURE = frozenset({"values", "rule", "sets", "ruleset", "formats", "views", "compiler", "check"})
"""Packages of functions from values to values."""

NOT_PURE = frozenset({"fcntl", "mmap", "sqlite3", "subprocess", "threading"})
"""Modules of the standard library that pure packages have no use for."""


def sources(package: Path) -> dict[str, Path]:
    """Dotted module name -> file, for every module in the package; symbolic links are followed."""
    found = {}
    for top, _, names in os.walk(package, followlinks=True):
        for name in names:
            path = Path(top, name)
            if path.suffix == ".py":
                parts = path.relative_to(package.parent).with_suffix("").parts
                found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(module: str, path: Path, modules: dict[str, Path]) -> Iterator[str]:
    """Every import of a file as an absolute name: at once, in functions, for types only.

    `from package import name` is `package.name` where that is a module, else `package`.
    """
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            for alias in node.names:
                name = f"{base}.{alias.name}"
                yield name if name in modules else base


def allowed(module: str) -> set[str]:
    """What a module of xdpwall may import, by names below xdpwall."""
    part = module.split(".")[1] if "." in module else "__init__"
    return {part, *(FLOORS[part] if part in FLOORS else GROUND[part]).split()}


def _reduced() -> dict[str, list[str]]:
    """The arrows between packages that no longer way says already."""
    edges = {
        name: {part.split(".")[0] for part in line.split()} & FLOORS.keys()
        for name, line in FLOORS.items()
    }
    reach: dict[str, set[str]] = {}
    for name in TopologicalSorter(edges).static_order():
        reach[name] = edges[name].union(*(reach[below] for below in edges[name]))
    return {
        name: sorted(
            below for below in edges[name] if not any(below in reach[o] for o in edges[name])
        )
        for name in edges
    }


def picture() -> str:
    """The packages and their imports as a Mermaid graph, top floor first."""
    lines = ["```mermaid", "graph TD"]
    arrows = _reduced()
    for name in reversed([*TopologicalSorter(arrows).static_order()]):
        lines += [f"    {name} --> {below}" for below in arrows[name]]
    return "\n".join([*lines, "```"])


def _purpose(path: Path) -> str:
    """The first line of the docstring of a module or a folder."""
    file = path / "__init__.py" if path.is_dir() else path
    return (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").splitlines()[0]


def tree() -> str:
    """The folders of xdpwall/ from the ground up, each with the first line of its docstring."""
    width = 12
    lines = []
    for name in [*GROUND, *TopologicalSorter(_reduced()).static_order()]:
        path = ROOT / "xdpwall" / (name if name in FLOORS else f"{name}.py")
        shown = f"{name}/" if path.is_dir() else f"{name}.py"
        lines.append(f"    {shown:<{width}} {_purpose(path)}")
        for init in sorted(path.glob("*/__init__.py")):
            lines.append(f"      {init.parent.name + '/':<{width}} {_purpose(init.parent)}")
    return "\n".join(lines)


def table() -> str:
    """What each package may import, as Markdown."""
    lines = ["| package | may import |", "|---|---|"]
    lines += [f"| {name} | {', '.join(line.split())} |" for name, line in FLOORS.items()]
    return "\n".join(lines)


def page(text: str) -> str:
    """The text of docs/architecture.md with its generated parts as they are now."""
    for name, made in (("tree", tree()), ("picture", picture()), ("table", table())):
        before, begin, rest = text.partition(f"<!-- {name}: python -m scripts.architecture -->\n")
        _, end, after = rest.partition(f"<!-- end of {name} -->")
        assert begin and end, f"{PAGE} has no place for the {name}"
        text = f"{before}{begin}\n{made}\n\n{end}{after}"
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
