"""Scalars of YAML 1.2's core schema. Pure."""

from __future__ import annotations

import re

_ESCAPE = re.compile(r'\\(?:u([0-9a-f]{4})|U([0-9a-f]{8})|(["\\]))', re.ASCII)
_INT = re.compile(r"[-+]?[0-9]{1,20}", re.ASCII)
_HEX = re.compile(r"0x[0-9a-fA-F]{1,16}", re.ASCII)
_OCTAL = re.compile(r"0o[0-7]{1,20}", re.ASCII)
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
    re.ASCII,
)
KEYWORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def parse_scalar(text: str) -> object:
    """The value of a plain scalar: None, bool, int, float or str."""
    if text in KEYWORDS:
        return KEYWORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if text.count(".") > 1 or ":" in text:
        return text  # mostly addresses, which would be tried against four patterns in vain
    if _INT.fullmatch(text):
        return int(text)
    if _HEX.fullmatch(text):
        return int(text, 16)
    if _OCTAL.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def unescape(text: str) -> str:
    """Replace the few escapes that dump_ruleset writes between double quotes."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda m: m[3] or chr(int(m[1] or m[2], 16)), text)
