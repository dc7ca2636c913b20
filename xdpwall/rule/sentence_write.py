"""The sentence of a rule, written. Pure; it imports next to nothing, for the fast rule list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from xdpwall.values.rate_text import rate_text

from .sentence_words import VALUED


class RuleFields(Protocol):
    """The canonical fields of a rule as attributes: a Rule, or a row of the store."""

    @property
    def action(self) -> str: ...
    @property
    def direction(self) -> str | None: ...
    @property
    def ethertype(self) -> str | None: ...
    @property
    def family(self) -> str | None: ...
    @property
    def proto(self) -> str | int | None: ...
    @property
    def dport(self) -> str | None: ...
    @property
    def icmp_type(self) -> str | int | None: ...
    @property
    def icmp_code(self) -> int | None: ...
    @property
    def tcp_flags(self) -> str | None: ...
    @property
    def vlan(self) -> int | str | None: ...
    @property
    def length(self) -> int | str | None: ...
    @property
    def ttl(self) -> int | str | None: ...
    @property
    def fragment(self) -> bool | str | None: ...
    @property
    def state(self) -> str | None: ...
    @property
    def keep(self) -> bool: ...
    @property
    def cookie(self) -> bool: ...
    @property
    def limit(self) -> str | Mapping[str, object] | None: ...
    @property
    def over(self) -> str | Mapping[str, object] | None: ...
    @property
    def expires(self) -> str | None: ...
    @property
    def enabled(self) -> bool: ...
    @property
    def log(self) -> bool: ...
    @property
    def comment(self) -> str | None: ...


def write_sentence(rule: RuleFields) -> str:
    """Write the canonical sentence of a rule; its id is not part of it."""
    words: list[str] = [rule.action]
    if rule.proto is not None:
        words.append(_protocol_text(rule))
    if rule.family is not None:
        words.append(rule.family)
    for clause in ("from", "to", "sport", "dport", "on"):
        value = getattr(rule, VALUED[clause][0])
        if value is not None and not (clause == "dport" and not value.startswith("!")):
            words += [clause, *_maybe_not(value)]
    if rule.direction is not None:
        words.append("in" if rule.direction == "ingress" else "out")
    if rule.vlan is not None:
        words += ["vlan", *_maybe_not(str(rule.vlan))]
    for clause, value in (("flags", rule.tcp_flags), ("length", rule.length), ("ttl", rule.ttl)):
        if value is not None:
            words += [clause, str(value)]
    if rule.fragment is not None:
        words.append(_fragment_text(rule.fragment))
    if rule.ethertype is not None:
        words += ["ethertype", rule.ethertype]
    if rule.state is not None:
        words += ["state", *_maybe_not(rule.state)]
    for clause, rate in (("limit", rule.limit), ("over", rule.over)):
        if rate is not None:
            words += [clause, rate if isinstance(rate, str) else rate_text(rate)]
    if rule.keep:
        words.append("keep")
    if rule.cookie:
        words.append("cookie")
    if rule.log:
        words.append("log")
    if not rule.enabled:
        words.append("disabled")
    if rule.expires is not None:
        words += ["until", rule.expires]
    if rule.comment is not None:
        words += ["comment", quote_word(rule.comment)]
    return " ".join(words)


def _protocol_text(rule: RuleFields) -> str:
    if isinstance(rule.proto, int):
        return f"proto {rule.proto}"
    text = str(rule.proto)
    if rule.dport is not None and not rule.dport.startswith("!"):
        text += f"/{rule.dport}"
    if rule.icmp_type is not None:
        text += f"/{rule.icmp_type}"
        if rule.icmp_code is not None:
            text += f"/{rule.icmp_code}"
    return text


def _fragment_text(fragment: bool | str) -> str:
    if isinstance(fragment, str):
        return f"fragment {fragment}"
    return "fragment" if fragment else "unfragmented"


def _maybe_not(value: str) -> list[str]:
    negated = value.startswith("!")
    name = value[1:] if negated else value
    # A quoted word is never a word of the language, so an interface may be called "not".
    if name == "not" or name.startswith('"'):
        name = quote_word(name)
    return ["not", name] if negated else [name]


def quote_word(text: str) -> str:
    """Quote a word for a sentence."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
