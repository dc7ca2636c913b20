"""xdpwall/layout.py against what the compiled objects say of bpf/abi.h."""

from __future__ import annotations

import platform
import re
import subprocess
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xdpwall import layout
from xdpwall.dataplane import object_path
from xdpwall.kernel.objects import read_btf

ROOT = Path(__file__).parents[2]
HEADER = "".join((ROOT / "bpf" / name).read_text() for name in ("abi.h", "abi_sets.h"))
STRUCTS = {
    "xw_tables": layout.TABLES,
    "xw_count": layout.COUNT,
    "xw_totals": layout.TOTALS,
    "xw_prefix6": layout.PREFIX6,
    "xw_class": layout.CLASS,
    "xw_prefix4": layout.PREFIX4,
    "xw_set_prefix": layout.SET_PREFIX,
    "xw_event_settings": layout.EVENT_SETTINGS,
    "xw_event_counts": layout.EVENT_COUNTS,
    "xw_event_limit": layout.EVENT_LIMIT,
    "xw_tap": layout.TAP,
    "xw_event": layout.EVENT,
}
ELEMENTS = {
    "xw_row": layout.ROW,
    "xw_leaf": layout.LEAVES,
    "xw_leaf4": layout.LEAVES4,
    "xw_class_rows": layout.CLASS_ROWS,
}
"""No map has them as its values' type, so that the programs' BTF does not know them."""
CONSTANTS = {
    "XW_SLOTS": layout.SLOTS,
    "XW_ATTACHMENTS": layout.ATTACHMENTS,
    "XW_LENGTHS": layout.LENGTHS,
    "XW_BYTE_HIDDEN": layout.BYTE_HIDDEN,
    "XW_ICMP_HIDDEN": layout.ICMP_HIDDEN,
    "XW_VLAN_NONE": layout.VLAN_NONE,
    "XW_VLAN_HIDDEN": layout.VLAN_HIDDEN,
    "XW_BLOCK": layout.BLOCK,
    "XW_CONTROL_WORDS": layout.CONTROL_WORDS,
    "XW_CLASSES": layout.CLASSES,
    "XW_CLASS_STEPS": layout.CLASS_STEPS,
    "XW_CHAIN": layout.CHAIN,
    "XW_RULE_SLOT": layout.RULE_SLOT,
    "XW_RULE_ACTION": layout.RULE_ACTION,
    "XW_RULE_EXPIRES": layout.RULE_EXPIRES,
    "XW_RULE_LOG": layout.RULE_LOG,
    "XW_PATTERNS": layout.PATTERNS,
    "XW_AGGREGATES": layout.AGGREGATES,
    "XW_PATCHES": layout.PATCHES,
    "XW_OCCUPIED_WORDS": layout.OCCUPIED_WORDS,
    "XW_OCCUPIED_BITS": layout.OCCUPIED_BITS,
    "XW_HASH_FACTOR": layout.HASH_FACTOR,
    "XW_BUCKET": layout.BUCKET,
    "XW_BUCKET_GONE": layout.BUCKET_GONE,
    "XW_BUCKET_REST": layout.BUCKET_REST,
    "XW_SRC6_TRIE": layout.SRC6_TRIE,
    "XW_DST6_TRIE": layout.DST6_TRIE,
    "XW_LEAF": layout.LEAF,
    "XW_EVENT_BYTES": layout.EVENT_BYTES,
    "XW_EVENT_LIMITS": layout.EVENT_LIMITS,
    "XW_TAPS": layout.TAPS,
    "XW_TAP_ANY": layout.TAP_ANY,
    "XW_TAP_ALL": layout.TAP_ANY,
}
ENUMS: dict[str, type[IntEnum | IntFlag]] = {
    "xw_action": layout.Action,
    "xw_feature": layout.Feature,
    "xw_policy": layout.PolicyBit,
}


@pytest.mark.parametrize("name", STRUCTS)
@pytest.mark.parametrize("program", ["xdp", "tc"])
def test_struct(program: str, name: str) -> None:
    check(object_path(program), name, STRUCTS[name])


def check(path: Path, name: str, dtype: np.dtype[Any]) -> None:
    """The struct in an object's BTF is laid out as the dtype."""
    size, found = read_btf(path).struct(name)
    assert size == dtype.itemsize
    assert dtype.fields is not None
    mine = {field: (info[1], info[0].itemsize) for field, info in dtype.fields.items()}
    assert mine == {field: (place.offset, place.size) for field, place in found.items()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An object of the element types alone."""
    folder = tmp_path_factory.mktemp("elements")
    source, target = folder / "elements.c", folder / "elements.o"
    lines = ['#include "abi.h"', *(f"struct {name} {name};" for name in ELEMENTS)]
    source.write_text("\n".join(lines), encoding="utf-8")
    include = f"/usr/include/{platform.machine()}-linux-gnu"
    flags = ("-target", "bpf", "-O2", "-g", "-idirafter", include, "-I", str(ROOT / "bpf"))
    subprocess.run(["clang", *flags, "-c", str(source), "-o", str(target)], check=True)
    return target


@pytest.mark.parametrize("name", ELEMENTS)
def test_element(built: Path, name: str) -> None:
    check(built, name, ELEMENTS[name])


@pytest.mark.parametrize("name", CONSTANTS)
def test_constant(name: str) -> None:
    defined = re.search(rf"^#define {name}\s+(\w+)", HEADER, re.MULTILINE)
    assert defined is not None
    assert int(defined[1].rstrip("UL"), 0) == CONSTANTS[name]


@pytest.mark.parametrize("name", ENUMS)
def test_enum(name: str) -> None:
    body = re.search(rf"enum {name} \{{(.*?)\}};", HEADER, re.DOTALL)
    assert body is not None
    prefix = "XW_POLICY_" if name == "xw_policy" else "XW_"
    text = re.sub(r"/\*.*?\*/", "", body[1], flags=re.DOTALL)
    pairs = re.findall(rf"{prefix}(\w+) = ([^,]+)", text)
    theirs = {key: eval(value) for key, value in pairs}
    assert theirs == {member.name: int(member) for member in ENUMS[name]}


def test_fragment_classes() -> None:
    body = re.search(r"enum xw_fragment { (.*?) };", HEADER)
    assert body is not None
    names = [word.split()[0].removeprefix("XW_FRAG_").lower() for word in body[1].split(",")]
    assert tuple(names) == layout.FRAGMENT_CLASSES


def test_control_word() -> None:
    control = layout.Control(copy=1, on=False, revision=1234)
    assert control.pack() == 1 | 2 | 1234 << 8
    assert layout.Control.unpack(control.pack()) == control
    control = layout.Control(copy=0, on=True, revision=1234, events=True)
    assert control.pack() == 4 | 1234 << 8
    assert layout.Control.unpack(control.pack()) == control
