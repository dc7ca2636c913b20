"""Read the kinds of rulesets that bpf/kinds.h compiles code for."""

from __future__ import annotations

import re
from functools import reduce
from operator import or_

from tests.support.paths import ROOT
from xdpwall.abi import Feature

_SOURCE = ROOT / "bpf" / "kinds.h"


def kinds(macro: str) -> list[Feature]:
    """The features of the lines `FEW(...)` or `MORE(...)`, RULES among them."""
    found = re.findall(rf"^\t{macro}\((XW_[A-Z_| ]+|0)\);$", _SOURCE.read_text(), re.MULTILINE)
    return [reduce(or_, _features(text), Feature.RULES) for text in found]


def _features(text: str) -> list[Feature]:
    return [Feature[name.removeprefix("XW_")] for name in text.split(" | ") if name != "0"]


FEW = kinds("FEW")
"""Where rows are one word."""
MORE = kinds("MORE")
"""However rows lie."""
