"""Rules on the command line: a sentence, flags, or a sentence and flags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from xdpwall.cli.options import invocation
from xdpwall.cli.terminal.problems import require
from xdpwall.errors import InvalidInput
from xdpwall.rule.field_names import RULE_FIELDS
from xdpwall.rule.sentence_words import ACTIONS

if TYPE_CHECKING:
    from xdpwall.rule.rule import Rule

F = TypeVar("F", bound=Callable[..., Any])
_HELP = {
    "iface": "Interface, several ('veth*', ports:docker0, container:web), or !IFACE for every other one.",
    "direction": "ingress or egress.",
    "ethertype": "arp, any, or a number from 0x0600.",
    "family": "ipv4 or ipv6.",
    "proto": "icmp, icmpv6, tcp, udp, sctp, gre, esp, ah, ipip, or 0-255.",
    "src": "Source address, prefix or @set; ! in front for all others.",
    "dst": "Destination address, prefix or @set; ! in front for all others.",
    "sport": "Source ports: 53, 1024-65535, http,https; ! in front for all others.",
    "dport": "Destination ports: 53, 1024-65535, http,https; ! in front for all others.",
    "icmp_type": "Name or number; needs proto icmp or icmpv6.",
    "icmp_code": "Name or number; needs an ICMP type.",
    "tcp_flags": "WANT/MASK, as in syn/syn,ack; syn alone is syn/syn.",
    "vlan": "0-4095, or none; ! in front for all others.",
    "length": "IP length in bytes: a number or a range.",
    "ttl": "TTL or hop limit: a number or a range.",
    "fragment": "true, false, first or later.",
    "state": "new, established, related, invalid, untracked, or a list; ! in front for all others.",
    "limit": "Matches while this rate lasts: 50/s, '6/m burst 6 per src', 10MB/s.",
    "over": "Matches beyond this rate; as --limit, and not beside it.",
    "expires": "RFC 3339 time, or a duration such as 10m.",
    "comment": "Up to 256 characters.",
}
FLAG_FIELDS = tuple(
    name for name in RULE_FIELDS if name not in ("id", "action", "enabled", "keep", "cookie", "log")
)
"""The fields that have a flag with a value."""


def rule_flags(function: F) -> F:
    """One option for each field of a rule, passed on as the keyword `fields`."""

    def keep(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            chosen: dict[str, Any] = ctx.meta.setdefault("xdpwall.fields", {})
            chosen[str(parameter.name)] = value

    for name in reversed(FLAG_FIELDS):
        names = [f"--{name.replace('_', '-')}", name]
        if name == "expires":
            names.insert(1, "--for")
        function = click.option(
            *names, metavar="VALUE", callback=keep, expose_value=False, help=_HELP[name]
        )(function)
    log = click.option(
        "--log",
        is_flag=True,
        callback=_flag,
        expose_value=False,
        default=False,
        help="Each packet that matches makes an event (xdpwall events).",
    )
    kept = click.option(
        "--keep",
        is_flag=True,
        callback=_flag,
        expose_value=False,
        default=False,
        help="Packets that pass by this accept rule make a flow (xdpwall flows).",
    )
    answered = click.option(
        "--cookie",
        is_flag=True,
        callback=_flag,
        expose_value=False,
        default=False,
        help="SYNs that it accepts are answered at XDP while their listener asks for cookies.",
    )
    return answered(kept(log(function)))


def _flag(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta.setdefault("xdpwall.fields", {})[str(parameter.name)] = True


def chosen_fields() -> dict[str, Any]:
    """The fields given as flags, as text, which Rule parses."""
    return dict(click.get_current_context().meta.get("xdpwall.fields", {}))


def split_sentences(words: Sequence[str]) -> list[str]:
    """The sentences on a command line: all words are one, unless each word is a whole one.

    The shell has eaten the quotes around a comment of several words; they are put back.
    """
    from xdpwall.rule.sentence_read import join_words

    if len(words) == 1 or all(_is_whole(word) for word in words):
        return list(words)
    return [join_words(words)]


def _is_whole(word: str) -> bool:
    first, _, rest = word.strip().partition(" ")
    return first in ACTIONS and bool(rest.strip())


def read_rules(words: Sequence[str], fields: dict[str, Any], rule_id: str | None) -> list[Rule]:
    """The rules that `rule add` names; InvalidInput points at the wrong word or field."""
    from xdpwall.rule.rule import Rule

    texts = split_sentences(words)
    require(
        len(texts) == 1 or not (fields or rule_id),
        "flags belong to one rule, and several sentences were given",
        field=next(iter(fields), "id"),
        hint="put the clauses into the sentences",
    )
    said = [_read_fields(text) for text in texts]
    if not fields and rule_id is None:
        return [Rule.parse(one) for one in said]
    _refuse_twice(said[0], fields)
    if rule_id is not None:
        fields = {"id": rule_id, **fields}
    return [Rule.parse({**said[0], **fields})]


def read_changes(
    words: Sequence[str], fields: dict[str, Any], unset: Sequence[str]
) -> dict[str, Any]:
    """What `rule set` names, for Facade.set_rule: None takes a field away.

    The action may be left out of the sentence: `rule set r1 on eth1`.
    """
    changes = _read_fields_without_action(words) if words else {}
    _refuse_twice(changes, fields)
    changes.update(fields)
    for name in unset:
        key = name.replace("-", "_")
        require(
            key in (*FLAG_FIELDS, "log"),
            f"unset: {name!r} is not a field that can be taken away",
            field="unset",
            hint=f"one of {', '.join(FLAG_FIELDS)}",
        )
        require(key not in changes, f"{key} is both given and taken away", field=key)
        changes[key] = None
    require(
        changes,
        "rule: nothing to change",
        field="rule",
        hint="name what changes: a sentence, --FIELD VALUE or --unset FIELD",
    )
    return changes


def _read_fields(text: str) -> dict[str, Any]:
    """Read the fields of one sentence; an error while it is read can point into it."""
    from xdpwall.rule.sentence_read import read_sentence

    asked = invocation.get()
    asked.sentence = text
    said = read_sentence(text)
    asked.sentence = None
    return said


def _read_fields_without_action(words: Sequence[str]) -> dict[str, Any]:
    texts = split_sentences(words)
    require(len(texts) == 1, "rule: takes one sentence", field="rule", hint="give one")
    if texts[0].split()[:1] and texts[0].split()[0] in ACTIONS:
        return _read_fields(texts[0])
    try:
        said = _read_fields(f"{ACTIONS[0]} {texts[0]}")
    except InvalidInput as error:
        # Its words count from the borrowed action; said again without, they count right.
        raise _without_action(error, texts[0], len(ACTIONS[0]) + 1) from None
    del said["action"]
    return said


def _without_action(error: InvalidInput, text: str, borrowed: int) -> InvalidInput:
    invocation.get().sentence = text
    if error.span is not None:
        start, end = (max(0, place - borrowed) for place in error.span)
        error.message = error.message.replace(
            f"at character {error.span[0] + 1}", f"at character {start + 1}"
        )
        error.span = (start, end)
    return error


def _refuse_twice(said: dict[str, Any], fields: dict[str, Any]) -> None:
    """InvalidInput for a field that both the sentence and a flag name."""
    for name in fields:
        require(
            name not in said,
            f"{name} is given twice: in the sentence and by --{name.replace('_', '-')}",
            field=name,
            hint="give it once",
        )
