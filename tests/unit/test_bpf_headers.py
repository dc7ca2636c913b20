"""The headers of bpf/: none includes itself by way of others, and each compiles by itself."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

BPF = Path(__file__).parents[2] / "bpf"
HEADERS = sorted(path.name for path in BPF.glob("*.h"))
HOOKS = {
    "xdp": (),
    "tc": ("-DXW_TC",),
    "explain_xdp": ("-DXW_EXPLAIN",),
    "explain_tc": ("-DXW_TC", "-DXW_EXPLAIN"),
}
"""Program -> what its source defines before the first include (bpf/context.h, bpf/explain.h)."""


def included(name: str) -> list[str]:
    """The files in bpf/ that a file there includes."""
    return re.findall(r'^#include "(.+)"$', (BPF / name).read_text(), re.MULTILINE)


@cache
def flags() -> list[str]:
    """The flags of bpf/Makefile."""
    command = ("make", "-s", "-C", str(BPF), "--eval", "flags: ; @echo $(CFLAGS)", "flags")
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()


def test_no_header_includes_itself() -> None:
    sources = (path.name for path in BPF.glob("*.c"))
    graph = {name: included(name) for name in (*HEADERS, *sources)}
    assert graph["xdp.bpf.c"] == graph["tc.bpf.c"] == ["classify.h"]
    assert graph["explain_xdp.bpf.c"] == graph["explain_tc.bpf.c"] == ["answer.h"]
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
    assert sorted(order) == sorted(graph), "an included file is missing, or one is never included"


def test_includes_come_first() -> None:
    for name in HEADERS:
        text = re.sub(r"/\*.*?\*/", "", (BPF / name).read_text(), flags=re.DOTALL)
        *_, last = ["", *re.split(r"^#include .*$", text, flags=re.MULTILINE)[:-1]]
        assert not re.search(r"[;{]", last), f"{name} has an #include behind a definition"


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("header", HEADERS)
def test_compiles_by_itself(header: str, hook: str) -> None:
    command = ("clang", *flags(), *HOOKS[hook], "-fsyntax-only", "-I", str(BPF), "-x", "c", "-")
    result = subprocess.run(
        command, input=f'#include "{header}"\n', capture_output=True, check=False, text=True
    )
    assert not result.returncode, result.stderr
