"""xdpwall/abi.py against what the compiled objects say of bpf/abi.h."""

from __future__ import annotations

import platform
import re
import subprocess
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.paths import ROOT
from xdpwall import abi
from xdpwall.dataplane import explaining, rate_maps
from xdpwall.kernel.bpf.objects import object_path, read_btf

HEADER = "".join(
    (ROOT / "bpf" / name).read_text()
    for name in ("abi.h", "abi_sets.h", "abi_control.h", "abi_rates.h", "abi_explain.h")
)
STRUCTS = {
    "xw_tables": abi.TABLES,
    "xw_count": abi.COUNT,
    "xw_totals": abi.TOTALS,
    "xw_prefix6": abi.PREFIX6,
    "xw_class": abi.CLASS,
    "xw_prefix4": abi.PREFIX4,
    "xw_set_prefix": abi.SET_PREFIX,
    "xw_event_settings": abi.EVENT_SETTINGS,
    "xw_event_counts": abi.EVENT_COUNTS,
    "xw_event_limit": abi.EVENT_LIMIT,
    "xw_tap": abi.TAP,
    "xw_event": abi.EVENT,
}
ELEMENTS = {
    "xw_row": abi.ROW,
    "xw_leaf": abi.LEAVES,
    "xw_leaf4": abi.LEAVES4,
    "xw_class_rows": abi.CLASS_ROWS,
    "xw_rate": rate_maps.RATE,
    "xw_limited": rate_maps.LIMITED,
    "xw_source": rate_maps.SOURCE,
    "xw_rates_end": rate_maps.RATES_END,
}
"""No map has them as its values' type, so that the programs' BTF does not know them."""
CONSTANTS = {
    "XW_SLOTS": abi.SLOTS,
    "XW_ATTACHMENTS": abi.ATTACHMENTS,
    "XW_MEMBERS": abi.MEMBERS,
    "XW_UNLISTED": abi.UNLISTED,
    "XW_NUMBERS": abi.NUMBERS,
    "XW_NUMBER_MASK": abi.NUMBER_MASK,
    "XW_SHARED": abi.SHARED,
    "XW_NUMBER_WORDS": abi.NUMBER_WORDS,
    "XW_LENGTHS": abi.LENGTHS,
    "XW_BYTE_HIDDEN": abi.BYTE_HIDDEN,
    "XW_ICMP_HIDDEN": abi.ICMP_HIDDEN,
    "XW_VLAN_NONE": abi.VLAN_NONE,
    "XW_VLAN_HIDDEN": abi.VLAN_HIDDEN,
    "XW_BLOCK": abi.BLOCK,
    "XW_CONTROL_MUTES": abi.CONTROL_MUTES,
    "XW_CONTROL_DEADLINES": abi.CONTROL_DEADLINES,
    "XW_CONTROL_PASSING": abi.CONTROL_PASSING,
    "XW_CONTROL_PROGRAMS": abi.CONTROL_PROGRAMS,
    "XW_CONTROL_WORDS": abi.CONTROL_WORDS,
    "XW_CLASSES": abi.CLASSES,
    "XW_CLASS_STEPS": abi.CLASS_STEPS,
    "XW_CHAIN": abi.CHAIN,
    "XW_RULE_SLOT": abi.RULE_SLOT,
    "XW_RULE_ACTION": abi.RULE_ACTION,
    "XW_RULE_EXPIRES": abi.RULE_EXPIRES,
    "XW_RULE_LIMIT": abi.RULE_LIMIT,
    "XW_RULE_OVER": abi.RULE_OVER,
    "XW_RATED_RULES": abi.RATED_RULES,
    "XW_TICK_SHIFT": abi.TICK_SHIFT,
    "XW_SOURCE_PLACES": rate_maps.PLACES,
    "XW_RULE_LOG": abi.RULE_LOG,
    "XW_PATTERNS": abi.PATTERNS,
    "XW_AGGREGATES": abi.AGGREGATES,
    "XW_PATCHES": abi.PATCHES,
    "XW_OCCUPIED_WORDS": abi.OCCUPIED_WORDS,
    "XW_OCCUPIED_BITS": abi.OCCUPIED_BITS,
    "XW_HASH_FACTOR": abi.HASH_FACTOR,
    "XW_BUCKET": abi.BUCKET,
    "XW_BUCKET_GONE": abi.BUCKET_GONE,
    "XW_BUCKET_REST": abi.BUCKET_REST,
    "XW_SRC6_TRIE": abi.SRC6_TRIE,
    "XW_DST6_TRIE": abi.DST6_TRIE,
    "XW_LEAF": abi.LEAF,
    "XW_EVENT_BYTES": abi.EVENT_BYTES,
    "XW_EVENT_LIMITS": abi.EVENT_LIMITS,
    "XW_TAPS": abi.TAPS,
    "XW_TAP_ANY": abi.TAP_ANY,
    "XW_TAP_ALL": abi.TAP_ANY,
    "XW_QUESTION_NOW": explaining.QUESTION_NOW,
    "XW_ANSWER_RULES": abi.MAX_POSITIONS,
    "XW_ANSWER_EXPIRED": explaining.ANSWER_EXPIRED,
    "XW_ANSWER_LIMITED": explaining.ANSWER_LIMITED,
}
ENUMS: dict[str, type[IntEnum | IntFlag]] = {
    "xw_action": abi.Action,
    "xw_feature": abi.Feature,
    "xw_policy": abi.PolicyBit,
}


EXPLAINING = {
    "xw_first_fragment": explaining.FIRST_FRAGMENT,
    "xw_question": explaining.QUESTION,
    "xw_answer": explaining.ANSWER,
}


@pytest.mark.parametrize("name", EXPLAINING)
@pytest.mark.parametrize("program", ["explain_xdp", "explain_tc"])
def test_struct_of_the_explaining_programs(program: str, name: str) -> None:
    check(object_path(program), name, EXPLAINING[name])


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


def value_of(name: str) -> int:
    """A constant of the header: a number, or a sum of such and of other constants in parentheses."""
    defined = re.search(rf"^#define {name}\s+(\w+|\(.*?\))", HEADER, re.MULTILINE)
    assert defined is not None
    terms = defined[1].strip("()").split(" + ")
    return sum(
        value_of(term) if term.startswith("XW_") else int(term.rstrip("UL"), 0) for term in terms
    )


@pytest.mark.parametrize("name", CONSTANTS)
def test_constant(name: str) -> None:
    assert value_of(name) == CONSTANTS[name]


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
    assert tuple(names) == abi.FRAGMENT_CLASSES


def test_control_word() -> None:
    control = abi.Control(copy=1, on=False, revision=1234)
    assert control.pack() == 1 | 2 | 1234 << 8
    assert abi.Control.unpack(control.pack()) == control
    control = abi.Control(copy=0, on=True, revision=1234, events=True)
    assert control.pack() == 4 | 1234 << 8
    assert abi.Control.unpack(control.pack()) == control
