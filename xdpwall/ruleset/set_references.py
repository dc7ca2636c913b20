"""References of rules to sets, looked up and checked. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

from xdpwall.errors import Conflict, InvalidInput
from xdpwall.sets.names import SET_FIELDS, SetRow
from xdpwall.values.addresses import CONTAINER
from xdpwall.values.inputs import first_few

if TYPE_CHECKING:
    from xdpwall.rule.rule import Rule


def sets_named_by(rule: Rule) -> list[tuple[str, str]]:
    """(field, set's name) of every set that a rule refers to."""
    found = []
    for field in SET_FIELDS:
        value: str | None = getattr(rule, field)
        if value is not None and value.lstrip("!").startswith("@"):
            found.append((field, value.lstrip("!")[1:]))
    return found


def containers_named_by(rule: Rule) -> list[str]:
    """container:NAME of every container whose addresses a rule is about."""
    sides = (rule.src, rule.dst)
    return [one for one in sides if one is not None and one.startswith(CONTAINER)]


def negated_sets(rules: Iterable[Rule]) -> list[tuple[str, str | None]]:
    """(set's name, rule's id) wherever an enabled rule is about `not @name`."""
    return [
        (name, rule.id)
        for rule in rules
        for field, name in sets_named_by(rule)
        if rule.enabled and getattr(rule, field).startswith("!")
    ]


def check_sets_known(rules: Iterable[Rule], sets: Collection[SetRow]) -> None:
    """InvalidInput "unknown-set" for the first rule that refers to a set that is not there."""
    names = {row.name for row in sets}
    for rule in rules:
        src, dst = rule.src, rule.dst
        if (src is None or "@" not in src) and (dst is None or "@" not in dst):
            continue  # most rules, of which there are many
        for field, name in sets_named_by(rule):
            if name not in names:
                raise _unknown(field, name, names)


def rules_using(rules: Iterable[Rule], name: str) -> list[str]:
    """The ids of the rules that refer to a set, in order."""
    return rules_by_set(rules).get(name, [])


def rules_by_set(rules: Iterable[Rule]) -> dict[str, list[str]]:
    """For each set that rules refer to, those rules' ids in order."""
    found: dict[str, list[str]] = {}
    for rule in rules:
        for name in dict.fromkeys(name for _, name in sets_named_by(rule)):
            found.setdefault(name, []).append(rule.id or "")
    return found


def check_set_unused(rules: Iterable[Rule], name: str) -> None:
    """Conflict "set-in-use" while a rule refers to the set."""
    if ids := rules_using(rules, name):
        raise Conflict(
            f"the set {name!r} is used by the rules {first_few(ids)}"
            if len(ids) > 1
            else f"the set {name!r} is used by the rule {ids[0]}",
            code="set-in-use",
            field="name",
            value=name,
            hint="delete or change those rules first",
        )


def _unknown(field: str, name: str, names: Collection[str]) -> InvalidInput:
    close = get_close_matches(name, names, 1)
    if close:
        hint = f"did you mean @{close[0]}?"
    elif names:
        shown = sorted(names)
        hint = f"known sets: {', '.join(shown[:10])}{', ...' if len(shown) > 10 else ''}"
    else:
        hint = f"there are no sets yet: xdpwall set create {name}"
    return InvalidInput(
        f"{field}: no set is called {name!r}",
        code="unknown-set",
        field=field,
        value=f"@{name}",
        hint=hint,
    )
