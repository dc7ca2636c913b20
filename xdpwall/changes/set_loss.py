"""Refuse a list that would take a set's entries away unasked: a failed download is an empty list."""

from __future__ import annotations

from collections.abc import Mapping

from xdpwall.errors import Refused
from xdpwall.instance.instance import Instance
from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.sets.content import SetContent
from xdpwall.sets.timed import TimedEntries
from xdpwall.values.addresses import set_use


def check_loss(instance: Instance, name: str, content: SetContent, has: int) -> None:
    """Raise Refused: "set-emptied" where a filled set would hold nothing and `content` does not allow
    it, "set-shrunk" where more than `most_shrink` percent of the entries would go.

    `has`: the entries that the set would hold, without those that have expired.
    """
    number = next((row.number for row in instance.ruleset.sets if row.name == name), None)
    had = 0 if number is None else instance.store.sets.entry_count(number)
    if had and not has and not content.allow_empty:
        raise _emptied(name, f"and the set holds {had:,}")
    most = content.most_shrink
    if most is not None and (had - has) * 100 > most * had:
        raise Refused(
            f"set {name}: {has:,} entries in place of {had:,} are a loss of "
            f"{(had - has) * 100 // had} %; at most {most} % may go",
            code="set-shrunk",
            field="most_shrink",
            value=most,
            hint="nothing was changed; look at the list, or allow a larger loss",
        )


def check_losses(
    instance: Instance,
    wanted: Mapping[str, SetContent] | None,
    contents: Mapping[str, TimedEntries] | None,
    new: CommittedRuleset,
    *,
    unknown: bool = False,
) -> None:
    """check_loss for each set of a ruleset. A set that a rule of `new` negates must not come into
    being empty either: `drop from not @name` would drop everything. `unknown`: the kernel may hold
    entries of sets that are not known here."""
    if not wanted or contents is None:
        return
    for name, content in wanted.items():
        has = len(contents[name])
        check_loss(instance, name, content, has)
        if not has and not content.allow_empty and name in _negated_sets(new):
            raise _emptied(name, f"and a rule is about everything that is not in @{name}")
        if not has and not content.allow_empty and unknown:
            raise _emptied(name, "and nobody knows what the kernel has of it")


def _negated_sets(ruleset: CommittedRuleset) -> set[str]:
    """The sets that enabled rules name behind `not`."""
    return {
        use[1]
        for entry in ruleset.entries
        for value in (entry.rule.src, entry.rule.dst)
        if entry.rule.enabled and value and (use := set_use("src", value)) and use[0]
    }


def _emptied(name: str, why: str) -> Refused:
    return Refused(
        f"set {name}: the list holds no entry, {why}",
        code="set-emptied",
        field="allow_empty",
        hint="nothing was changed; did the download fail? --allow-empty (allow_empty: true) empties"
        " the set",
    )
