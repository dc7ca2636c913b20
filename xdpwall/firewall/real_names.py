"""Names of interfaces as people give them: an alternative name is that of its interface, and what
`ip link` prints or a pattern would never match is refused."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from xdpwall.attach.interfaces import interface_names
from xdpwall.errors import InvalidInput
from xdpwall.rule.iface_selector import is_pattern
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.values.inputs import error_value, printable, split_negation, unsupported_field

_PATTERN = "*?["
_SHELLS = "?["


def real_name(name: str, field: str = "iface") -> str:
    """The interface's own name where `name` is another one of it, else `name`. InvalidInput for a
    pattern, and for "eth0@if5", unless an interface is called so."""
    names = interface_names()
    if name in names:
        return name
    try:
        index = socket.if_nametoindex(name)
    except (OSError, ValueError):
        pass
    else:
        return next((one for one, number in names.items() if number == index), name)
    if any(char in name for char in _PATTERN):
        raise unsupported_field(field, name, f"a pattern of interfaces ({name})")
    if "@" in name:
        own = name.partition("@")[0]
        raise InvalidInput(
            printable(f"{field}: {name!r} is what `ip link` prints; wanted the name alone, {own}"),
            field=field,
            value=error_value(name),
            hint="what stands behind @ is the interface's peer or parent",
        )
    return name


def with_real_names(rules: Sequence[Rule]) -> tuple[list[Rule], list[str]]:
    """The rules with their interfaces' own names, and what to say where another one was given."""
    known: dict[str, str] = {}
    found, said = [], {}
    for index, rule in enumerate(rules):
        if rule.iface is None:
            found.append(rule)
            continue
        negated, name = split_negation(rule.iface)
        if name not in known:
            field = "iface" if len(rules) == 1 else f"rules[{index}].iface"
            known[name] = name if _is_selector(name) else real_name(name, field)
        if known[name] != name:
            rule = rule.model_copy(update={"iface": "!" * negated + known[name]})
            said[name] = f"{name} is another name of {known[name]}: the rule names {known[name]}"
        found.append(rule)
    return found, list(said.values())


def _is_selector(name: str) -> bool:
    """Whether it stands for several interfaces by `*` or a colon, and by no more of a shell's pattern."""
    return is_pattern(name) and not any(char in name for char in _SHELLS)


def change_with_real_name(changes: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[str]]:
    """The same of the fields of a change, where they are an interface's name or a sentence."""
    if isinstance(changes.get("text"), str):
        (rule,), said = with_real_names([Rule.parse(changes["text"])])
        return ({**changes, "text": rule.text} if said else changes), said
    iface = changes.get("iface")
    if not isinstance(iface, str):
        return changes, []
    (rule,), said = with_real_names([Rule.parse({"action": "drop", "iface": iface})])
    return ({**changes, "iface": rule.iface} if said else changes), said


def ruleset_with_real_names(ruleset: Ruleset) -> tuple[Ruleset, list[str]]:
    """The same of a ruleset's rules and attachments."""
    rules, said = with_real_names(ruleset.rules)
    specs = ruleset.attachments
    if specs is not None:
        specs = tuple(
            one
            if one.by_policy
            else replace(one, iface=real_name(one.iface, f"attachments[{index}].iface"))
            for index, one in enumerate(specs)
        )
        attached = zip(ruleset.attachments or (), specs, strict=True)
        said += [
            f"{old.iface} is another name of {new.iface}: it is attached as {new.iface}"
            for old, new in attached
            if old.iface != new.iface
        ]
    return replace(ruleset, rules=tuple(rules), attachments=specs), said
