"""Rules on the command line: a sentence, flags, or a sentence and flags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import InvalidInput
from .options import invocation
from .problems import need

if TYPE_CHECKING:
    from ..model import Rule

F = TypeVar("F", bound=Callable[..., Any])
ACTIONS = ("drop", "accept", "count")
FIELDS = {
    "iface": "Interface, or !IFACE for every other one.",
    "direction": "ingress or egress.",
    "ethertype": "arp, any, or a number from 0x0600.",
    "family": "ipv4 or ipv6.",
    "proto": "icmp, icmpv6, tcp, udp, sctp, gre, esp, ah, ipip, or 0-255.",
    "src": "Source address or prefix; ! in front for all others.",
    "dst": "Destination address or prefix; ! in front for all others.",
    "sport": "Source ports: 53, 1024-65535, 80,443; ! in front for all others.",
    "dport": "Destination ports, likewise.",
    "icmp_type": "Name or number; needs proto icmp or icmpv6.",
    "icmp_code": "Name or number; needs an ICMP type.",
    "tcp_flags": "WANT/MASK, as in syn/syn,ack; syn alone is syn/syn.",
    "vlan": "0-4095, or none; ! in front for all others.",
    "length": "IP length in bytes: a number or a range.",
    "ttl": "TTL or hop limit: a number or a range.",
    "fragment": "true, false, first or later.",
    "expires": "RFC 3339 time, or a duration such as 10m.",
    "comment": "Up to 256 characters.",
}
UNSETTABLE = (*FIELDS, "log")
_WORDS = {"true": True, "false": False}


def rule_flags(function: F) -> F:
    """One option for each field of a rule, passed on as the keyword `fields`."""

    def keep(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            chosen: dict[str, Any] = ctx.meta.setdefault("xdpwall.fields", {})
            chosen[str(parameter.name)] = value

    for name, text in reversed(FIELDS.items()):
        names = [f"--{name.replace('_', '-')}", name]
        if name == "expires":
            names.insert(1, "--for")
        function = click.option(
            *names, metavar="VALUE", callback=keep, expose_value=False, help=text
        )(function)
    log = click.option(
        "--log", is_flag=True, hidden=True, callback=_log, expose_value=False, default=False
    )
    return log(function)


def _log(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta.setdefault("xdpwall.fields", {})["log"] = True


def chosen_fields() -> dict[str, Any]:
    """What the flags said, as the model takes it: text, but for fragment's true and false."""
    fields: dict[str, Any] = dict(click.get_current_context().meta.get("xdpwall.fields", {}))
    if fields.get("fragment") in _WORDS:
        fields["fragment"] = _WORDS[fields["fragment"]]
    return fields


def sentences(words: Sequence[str]) -> list[str]:
    """The sentences on a command line: all words are one, unless each word is a whole one.

    The shell has eaten the quotes around a comment of several words; they are put back.
    """
    if len(words) > 1 and all(_is_whole(word) for word in words):
        return list(words)
    if len(words) == 1:
        return [words[0]]
    out: list[str] = []
    for word in words:
        bare = bool(out) and out[-1] == "comment" and not word.startswith('"')
        out.append(quoted(word) if bare else word)
    return [" ".join(out)]


def quoted(text: str) -> str:
    """A comment as a sentence holds it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _is_whole(word: str) -> bool:
    first, _, rest = word.strip().partition(" ")
    return first in ACTIONS and bool(rest.strip())


def read_rules(words: Sequence[str], fields: dict[str, Any], rule_id: str | None) -> list[Rule]:
    """The rules that `rule add` names; InvalidInput points at the wrong word or field."""
    texts = sentences(words)
    need(
        len(texts) == 1 or not (fields or rule_id),
        "flags belong to one rule, and several sentences were given",
        field=next(iter(fields), "id"),
        hint="put the clauses into the sentences",
    )
    rules = [read_sentence(text) for text in texts]
    if not fields and rule_id is None:
        return rules
    from ..model import Rule

    named = rules[0].to_json()
    refuse_twice(named, fields)
    if rule_id is not None:
        fields = {**fields, "id": rule_id}
    invocation.get().sentence = None
    return [Rule.parse({**_given(named), **fields})]


def read_sentence(text: str) -> Rule:
    """One sentence; while it is read, errors can point into it."""
    from ..model import Rule

    invocation.get().sentence = text
    rule = Rule.parse({"text": text})
    invocation.get().sentence = None
    return rule


def read_changes(
    words: Sequence[str], fields: dict[str, Any], unset: Sequence[str]
) -> dict[str, Any]:
    """What `rule set` names, for Facade.set_rule: None takes a field away.

    The action may be left out of the sentence: `rule set r1 on eth1`.
    """
    changes = _named_in(words) if words else {}
    refuse_twice(changes, fields)
    changes.update(fields)
    for name in unset:
        key = name.replace("-", "_")
        need(
            key in UNSETTABLE,
            f"{name!r} is not a field that can be taken away",
            field="unset",
            hint=f"one of {', '.join(FIELDS)}",
        )
        need(key not in changes, f"{key} is both given and taken away", field=key)
        changes[key] = None
    need(
        changes,
        "nothing to change",
        field="words",
        hint="name what changes: a sentence, --FIELD VALUE or --unset FIELD",
    )
    return changes


def _named_in(words: Sequence[str]) -> dict[str, Any]:
    need(
        len(texts := sentences(words)) == 1,
        "one rule takes one sentence",
        field="words",
        hint="leave out the quotes, or give one sentence",
    )
    text = texts[0]
    borrowed = "" if text.split(maxsplit=1)[:1] and text.split()[0] in ACTIONS else "drop "
    asked = invocation.get()
    try:
        changes = _given(read_sentence(borrowed + text).to_json())
    except InvalidInput as error:
        asked.sentence = text
        if error.span is not None:
            start, end = (max(0, place - len(borrowed)) for place in error.span)
            error.span = (start, end)
        raise
    if borrowed:
        del changes["action"]
    if "disabled" in text.split():
        changes["enabled"] = False
    return changes


def _given(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule's JSON without what nobody said: the defaults that every rule reads back."""
    silent = {"enabled": True, "log": False}
    return {k: v for k, v in rule.items() if k != "text" and (k, v) not in silent.items()}


def refuse_twice(sentence: dict[str, Any], fields: dict[str, Any]) -> None:
    """InvalidInput for a field that both the sentence and a flag name."""
    for name in fields:
        need(
            name not in _given(sentence),
            f"{name} is given twice: in the sentence and by --{name.replace('_', '-')}",
            field=name,
            hint="give it once",
        )
