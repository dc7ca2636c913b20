"""Completion of the word at the end of an unfinished sentence. Pure.

It may offer nothing, and never offers what the sentence refuses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from xdpwall.errors import InvalidInput
from xdpwall.values.protocols import (
    ICMP_CODES,
    ICMP_PROTOCOLS,
    ICMP_TYPES,
    PORT_PROTOCOLS,
    PROTOCOLS,
)
from xdpwall.values.services import SERVICES

from .field_names import RATE_FIELDS
from .sentence_read import split_words
from .sentence_words import ACTIONS, BARE, CLAUSES, NEGATABLE, RATED, VALUED
from .sentence_write import quote_word

CompletionKind = Literal[
    "action", "protocol", "port", "type", "code", "clause", "interface", "set", "value"
]

MAX_COMPLETIONS = 50

_VALUES: dict[str, tuple[tuple[str, str | None], ...]] = {
    "vlan": (("none", "untagged"),),
    "flags": (
        ("syn/syn,ack", "opens a connection"),
        ("rst/rst", "resets one"),
        ("fin/fin", "ends one"),
        ("none/fin,syn,rst,psh,ack,urg", "null scan"),
    ),
    "ethertype": (("arp", None), ("any", "every frame")),
    "limit": (("50/s", None), ("6/m", None), ("10MB/s", "bytes, not packets")),
    "over": (("50/s", None), ("6/m", None), ("10MB/s", "bytes, not packets")),
    "per": (("src", "each source by itself"),),
    "state": (
        ("established,related", "answers, and errors about what was sent"),
        ("new", "the first packet of a flow"),
        ("invalid", "of no flow and no socket"),
        ("untracked", "neighbor discovery and the like"),
    ),
    "for": (("10m", None), ("1h", None), ("24h", None), ("7d", None)),
}
_PROTOCOLS = tuple(dict.fromkeys(("icmp", "tcp", "udp", "icmpv6", *PROTOCOLS)))
"""The usual ones first."""
_ONE_OF = (
    ("in", "out"),
    ("ipv4", "ipv6"),
    ("fragment", "unfragmented"),
    ("for", "until"),
    ("cookie", "state"),
    ("cookie", "out"),
    RATE_FIELDS,
)
_NO_IP = frozenset(
    {"ipv4", "ipv6", "from", "to", "sport", "dport", "flags", "length", "ttl"}
    | {"fragment", "unfragmented", "state", "keep", "cookie"}
)
"""Clauses that cannot stand beside `ethertype`."""
_HINTS = {
    "drop": "the packet ends here",
    "accept": "it passes; no later rule is asked",
    "count": "counted; the next rule is asked",
    "on": "the interface",
    "from": "source address, prefix or @set",
    "to": "destination address, prefix or @set",
    "in": "what comes in",
    "out": "what goes out",
    "sport": "source ports",
    "dport": "destination ports",
    "flags": "TCP flags, WANT/MASK",
    "length": "the IP packet's bytes",
    "ttl": "TTL or hop limit",
    "for": "expires after",
    "until": "expires at",
    "limit": "matches while its rate lasts",
    "over": "matches beyond its rate",
    "burst": "packets that may come at once",
    "per": "a rate for each source",
    "state": "what flows say of the packet",
    "keep": "packets that pass make a flow",
    "cookie": "SYNs are answered at XDP when the listener asks for it",
    "log": "each packet makes an event",
    "disabled": "kept, not in force",
    "not": "all but",
    "proto": "a protocol by its number",
    "comment": "text in quotes",
}


@dataclass(frozen=True, slots=True)
class Completion:
    """One word that may stand there; `insert` replaces the begun word."""

    text: str
    kind: CompletionKind
    insert: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Completions:
    """`word` is the range of characters that `insert` replaces, up to the end of the text."""

    word: tuple[int, int]
    completions: list[Completion]


@dataclass(slots=True)
class _SentenceState:
    """The state of a sentence before its last word: protocol, clauses, the open clause."""

    action: str = ""
    proto: str | None = None
    ports: bool = False
    clauses: set[str] = field(default_factory=set)
    open: str | None = None
    rated: set[str] | None = None
    """What may follow the rate that was said last."""
    negated: bool = False


def completions_of(text: str, interfaces: Sequence[str], sets: Sequence[str] = ()) -> Completions:
    """For the word at the end of `text`, which is empty after a blank."""
    last = "" if text[-1:].isspace() or not text else text.rsplit(maxsplit=1)[-1]
    start = len(text) - len(last)
    nothing = Completions((len(text), len(text)), [])
    try:
        before = split_words(text[:start])
    except InvalidInput:
        return nothing
    if last.startswith('"') or (before and before[0].quoted):
        return nothing
    words = [word.text for word in before]
    if words and words[0] not in ACTIONS:
        return nothing
    if len(words) == 1 and "/" in last:
        offered = _after_slash(last)
    else:
        offered = _whole(words, last, interfaces, sets)
    found: list[Completion] = []
    since = 0
    for since, one in offered:
        part = last[since:]
        named = one.kind == "port" and part and (one.hint or "").startswith(part)
        if one.text != part and (named or one.text.startswith(part)):
            found.append(one)
    return Completions((start + since, len(text)), found[:MAX_COMPLETIONS])


Candidates = Iterator[tuple[int, Completion]]
"""(index in the last word where the completed part begins, completion); one index for all."""


def _whole(
    words: Sequence[str], last: str, interfaces: Sequence[str], sets: Sequence[str]
) -> Candidates:
    if not words:
        for action in ACTIONS:
            yield 0, _word(action, "action")
        return
    said = _read(words)
    if said.open is not None:
        yield from _values(said.open, said.negated, last, interfaces, sets)
        return
    if len(words) == 1:
        for name in _PROTOCOLS:
            more = name in PORT_PROTOCOLS or name in ICMP_PROTOCOLS
            yield 0, Completion(name, "protocol", name if more else f"{name} ")
        yield 0, _word("proto", "protocol")
    for word in said.rated or ():
        yield 0, _word(word, "value")
    if words[-1] == "fragment":
        for part in ("first", "later"):
            yield 0, _word(part, "value")
    for clause in CLAUSES:
        if _may_follow(clause, said):
            yield 0, _word(clause, "clause")


def _read(words: Sequence[str]) -> _SentenceState:
    said = _SentenceState(words[0])
    rest = list(words[1:])
    if rest and rest[0] == "proto":
        if len(rest) == 1:
            said.open = "proto"
            return said
        said.proto, rest = rest[1], rest[2:]
    elif rest and rest[0].partition("/")[0] in PROTOCOLS:
        said.proto, slash, _ = rest[0].partition("/")
        said.ports = bool(slash) and said.proto in PORT_PROTOCOLS
        rest = rest[1:]
    for word in rest:
        if said.open is not None:
            if word == "not" and said.open in NEGATABLE and not said.negated:
                said.negated = True
            else:
                if said.open in RATE_FIELDS:
                    said.rated = {*RATED}
                said.open, said.negated = None, False
        elif said.rated and word in said.rated:
            said.rated = said.rated - {word}
            said.open = word
        elif word in CLAUSES:
            said.clauses.add(word)
            said.open, said.rated = word if word in VALUED else None, None
    return said


def _may_follow(clause: str, said: _SentenceState) -> bool:
    used = said.clauses
    if clause in used or any(clause in pair and used & set(pair) for pair in _ONE_OF):
        return False
    if clause == "keep" and said.action != "accept":
        return False
    if clause == "cookie" and not _may_answer(said):
        return False
    if clause in ("sport", "dport") and said.proto not in PORT_PROTOCOLS:
        return False
    if clause == "dport" and said.ports or clause == "flags" and said.proto != "tcp":
        return False
    if clause == "ethertype":
        return said.proto is None and not used & _NO_IP
    if (clause, said.proto) in (("ipv6", "icmp"), ("ipv4", "icmpv6")):
        return False
    return not ("ethertype" in used and clause in _NO_IP)


def _may_answer(said: _SentenceState) -> bool:
    """Whether `cookie` may stand there: it wants accept, TCP and its ports."""
    return (said.action, said.proto) == ("accept", "tcp") and (
        said.ports or "dport" in said.clauses
    )


def _values(
    clause: str, negated: bool, last: str, interfaces: Sequence[str], sets: Sequence[str]
) -> Candidates:
    if clause in ("sport", "dport"):
        since = max(last.rfind(","), last.rfind("!")) + 1
        yield from ((since, port) for port in _ports())
        if not since and not negated:
            yield 0, _word("not", "value")
        return
    if clause == "on":
        for name in interfaces:
            written = quote_word(name) if name == "not" or name.startswith('"') else name
            yield 0, Completion(name, "interface", f"{written} ")
    if clause in ("from", "to"):
        bare = last.startswith("!") and not negated
        for name in sets:
            yield int(bare), Completion(f"@{name}", "set", f"@{name} ", "a set")
    for value, hint in _VALUES.get(clause, ()):
        yield 0, Completion(value, "value", f"{value} ", hint)
    if clause in NEGATABLE and not negated:
        yield 0, _word("not", "value")


def _after_slash(last: str) -> Candidates:
    proto, _, rest = last.partition("/")
    at = len(proto) + 1
    if proto in PORT_PROTOCOLS:
        since = at + rest.rfind(",") + 1
        yield from ((since, port) for port in _ports())
    elif proto in ICMP_PROTOCOLS:
        kind, slash, _ = rest.partition("/")
        if not slash:
            for name in ICMP_TYPES[proto]:
                yield at, Completion(name, "type", f"{name} ", str(ICMP_TYPES[proto][name]))
            return
        number = ICMP_TYPES[proto].get(
            kind, int(kind) if kind.isdecimal() and len(kind) <= 3 else -1
        )
        for name, code in ICMP_CODES.get((proto, number), {}).items():
            yield at + len(kind) + 1, Completion(name, "code", f"{name} ", str(code))


def _ports() -> Iterator[Completion]:
    for port, name in SERVICES.items():
        yield Completion(str(port), "port", str(port), name)


def _word(text: str, kind: CompletionKind) -> Completion:
    alone = text in BARE or text == "fragment"
    hint = _HINTS.get(text) or (None if alone or text not in VALUED else VALUED[text][1])
    return Completion(text, kind, f'{text} "' if text == "comment" else f"{text} ", hint)
