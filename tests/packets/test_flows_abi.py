"""The flow table's mirror in Python against bpf/abi_flows.h, and the layout that an upgrade compares."""

from __future__ import annotations

import platform
import re
import subprocess
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.paths import ROOT
from xdpwall.abi import FLOW_BUCKET
from xdpwall.dataplane import flow_maps
from xdpwall.kernel.bpf.objects import read_btf

HEADER = (ROOT / "bpf" / "abi_flows.h").read_text(encoding="utf-8")
REST = np.dtype(flow_maps.REST)
STRUCTS = {"xw_flow_rest": REST, "xw_flow4": flow_maps.FLOW4, "xw_flow6": flow_maps.FLOW6}
COUNTS = np.dtype([(name, "<u8") for name in flow_maps.COUNTS])
CONSTANTS = {
    "XW_FLOW_BUCKET": FLOW_BUCKET,
    "XW_FLOW_CLAIMED": flow_maps.CLAIMED,
    "XW_FLOW_LAYOUT": flow_maps.LAYOUT,
    "XW_FLOW_ORIGIN": flow_maps.ORIGIN,
    "XW_FLOW_REPLIED": flow_maps.REPLIED,
    "XW_FLOW_FIN0": flow_maps.FIN0,
    "XW_FLOW_FIN1": flow_maps.FIN1,
    "XW_FLOW_RESET": flow_maps.RESET,
    "XW_FLOW_ASSURED": flow_maps.ASSURED,
    "XW_FLOW_PICKED_UP": flow_maps.PICKED_UP,
    "XW_FLOW_SYN_ACK": flow_maps.SYN_ACK,
    "XW_FLOW_ASKER1": flow_maps.ASKER1,
}
LAYOUTS = {1: "8bd88747cc8b069a"}
"""By number: a digest of layout_words()."""

Places = dict[str, tuple[int, int]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An object of the structs alone: no map of a program has them as its values' type."""
    folder = tmp_path_factory.mktemp("flows")
    source, target = folder / "flows.c", folder / "flows.o"
    names = (*STRUCTS, "xw_flow_counts")
    lines = ['#include "abi_flows.h"', *(f"struct {name} {name};" for name in names)]
    source.write_text("\n".join(lines), encoding="utf-8")
    include = f"/usr/include/{platform.machine()}-linux-gnu"
    flags = ("-target", "bpf", "-O2", "-g", "-idirafter", include, "-I", str(ROOT / "bpf"))
    subprocess.run(["clang", *flags, "-c", str(source), "-o", str(target)], check=True)
    return target


def compiled(built: Path, name: str) -> tuple[int, Places]:
    """Size, and offset and size of each field."""
    size, fields = read_btf(built).struct(name)
    return size, {field: (place.offset, place.size) for field, place in fields.items()}


def mirrored(dtype: np.dtype[Any]) -> tuple[int, Places]:
    assert dtype.fields is not None
    return dtype.itemsize, {
        name: (info[1], info[0].itemsize) for name, info in dtype.fields.items()
    }


@pytest.mark.parametrize("name", [*STRUCTS, "xw_flow_counts"])
def test_struct(built: Path, name: str) -> None:
    assert compiled(built, name) == mirrored({**STRUCTS, "xw_flow_counts": COUNTS}[name])


def constants() -> dict[str, int]:
    """All XW_FLOW_... of the header."""
    found = re.findall(r"^#define (XW_FLOW_\w+)\s+(\w+)", HEADER, re.MULTILINE)
    return {name: int(value.rstrip("U"), 0) for name, value in found if name != "XW_FLOW_H"}


@pytest.mark.parametrize("name", CONSTANTS)
def test_constant(name: str) -> None:
    assert constants()[name] == CONSTANTS[name]


def layout_words(built: Path) -> str:
    """What two versions must have in common to share a table."""
    numbers = {name: value for name, value in constants().items() if name != "XW_FLOW_LAYOUT"}
    return repr(([compiled(built, name) for name in STRUCTS], sorted(numbers.items())))


def test_another_layout_has_another_number(built: Path) -> None:
    """Else an upgrade goes on with flows that it reads wrongly. The hash, which is part of it, is in
    test_flows_collisions.py: who changes it there gives the table another number, too."""
    digest = blake2b(layout_words(built).encode(), digest_size=8).hexdigest()
    assert LAYOUTS[flow_maps.LAYOUT] == digest, "XW_FLOW_LAYOUT and flow_maps.LAYOUT need another"
