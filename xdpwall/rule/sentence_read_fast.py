"""A fast reader of the sentences that most rulesets are made of; it keeps no word's position.

sentence_read.py reads every sentence, and says what is wrong with one. This reads what needs no
error and no quotes, at a third of the cost, to the same fields: a property test compares them. Pure.
"""

from __future__ import annotations

from typing import Any

from xdpwall.errors import InvalidInput
from xdpwall.values.protocols import ICMP_PROTOCOLS, PORT_PROTOCOLS, PROTOCOLS

from .consistency import canonical_fields
from .field_names import RATE_FIELDS
from .sentence_words import ACTIONS, BARE, NEGATABLE, VALUED

_TAKES = {
    word: (field, word in NEGATABLE)
    for word, (field, _) in VALUED.items()
    if field not in ("expires", *RATE_FIELDS)
}


def read_sentence_fast(text: str) -> dict[str, Any] | None:
    """Read the canonical fields of a sentence; None when only sentence_read can."""
    words = text.split()
    if not words or words[0] not in ACTIONS or '"' in text:
        return None
    fields: dict[str, Any] = {"action": words[0]}
    at, end = 1, len(words)
    if end > 1:
        name, slash, rest = words[1].partition("/")
        if name in PROTOCOLS:
            fields["proto"] = name
            at = 2
            if slash and not _after_slash(fields, name, rest):
                return None
    while at < end:
        word = words[at]
        at += 1
        value: object
        if word in _TAKES:
            if at == end:
                return None
            field, negatable = _TAKES[word]
            value = words[at]
            at += 1
            if negatable and value == "not":
                if at == end or words[at][0] == "!":
                    return None
                value = "!" + words[at]
                at += 1
        elif word in BARE:
            field, value = BARE[word]
        else:
            return None
        if field in fields:
            return None
        fields[field] = value
    try:
        return canonical_fields(fields)
    except InvalidInput:
        return None


def _after_slash(fields: dict[str, Any], name: str, rest: str) -> bool:
    if name in PORT_PROTOCOLS:
        fields["dport"] = rest
        return bool(rest)
    if name not in ICMP_PROTOCOLS:
        return False
    kind, slash, code = rest.partition("/")
    fields["icmp_type"] = kind
    if slash:
        fields["icmp_code"] = code
    return bool(kind) and not (slash and not code)
