"""The facade's methods for quick blocks, which Firewall inherits (firewall.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xdpwall.errors import Conflict, NotFound, Refused
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.blocks import (
    BLOCKED,
    BLOCKED_RULE,
    block_words,
    is_block,
    next_block_id,
    parse_block,
)
from xdpwall.sets.entries import AddressEntry, address_entry, parse_entry
from xdpwall.values.author import Author
from xdpwall.values.time_read import parse_expiry
from xdpwall.views.blocks import BlockList, BlockOutcome, BlockView

from .rules import RuleMethods
from .sets import SetMethods

if TYPE_CHECKING:
    from xdpwall.views.rules import RuleView

_ANYONE = Author()
MOST_LISTED = 1000
"""Blocked addresses in one answer."""


class BlockMethods(RuleMethods, SetMethods):
    """Blocks and unblocks by the rules and sets of the instance, each step a change of its own."""

    def _changed(self) -> None:
        """Called after a change; Firewall overrides it to wake its background threads."""

    def blocks(self) -> BlockList:
        """All blocks: addresses first, then rules in order."""
        rules = self.rules().rules
        found = []
        total = 0
        if self._has_set():
            listed = self.set_entries(BLOCKED, limit=MOST_LISTED)
            total = listed.total
            found = [
                BlockView(target=one.entry, rule=BLOCKED, expires=one.expires)
                for one in listed.entries
            ]
        blocks = [_view(one) for one in rules if is_block(one.id) and not one.expired]
        return BlockList(blocks=[*found, *blocks], total=total + len(blocks))

    def block(
        self,
        target: str,
        *,
        lasts: str | None = None,
        iface: str | None = None,
        spared: str | None = None,
        by: Author = _ANYONE,
    ) -> BlockOutcome:
        """Drop what comes from an address, or what a rule says. `lasts` is a duration or a time,
        `spared` what is left out. Refused "own-address" for that of the asker."""
        wanted = parse_block(target, iface, spared)
        expires = None if lasts is None else parse_expiry("for", lasts)
        if isinstance(wanted, AddressEntry):
            _check_not_own(wanted, by)
            return self._block_address(wanted, expires, by)
        return self._block_by_rule(wanted, expires, by)

    def unblock(
        self,
        target: str,
        *,
        iface: str | None = None,
        spared: str | None = None,
        by: Author = _ANYONE,
    ) -> BlockOutcome:
        """Take back what the same words blocked. NotFound "not-blocked"."""
        wanted = parse_block(target, iface, spared)
        if isinstance(wanted, Rule):
            rule = _same_block(self.rules().rules, wanted)
            if rule is None:
                raise _not_blocked(f"{block_words(wanted)} is not blocked", target)
            view = _view(rule)
            self.delete_rules([rule.id], by=by)
            return BlockOutcome(block=view, changed=True)
        there = self._has_set()
        change = self.change_set(BLOCKED, remove=[wanted.text], by=by) if there else None
        if change is None or not change.removed:
            covering = self._covering(wanted) if there else []
            raise _not_blocked(
                f"{wanted.text} is not blocked by itself"
                + (f": {', '.join(covering)} is, and covers it" if covering else ""),
                target,
            )
        return BlockOutcome(
            block=BlockView(target=wanted.text, rule=BLOCKED),
            changed=True,
            warnings=change.warnings,
        )

    def _block_address(self, entry: AddressEntry, expires: str | None, by: Author) -> BlockOutcome:
        if not self._has_set():
            self.create_set(BLOCKED, by=by)
        rule = next((one for one in self.rules().rules if one.id == BLOCKED), None)
        warnings: list[str] = []
        if rule is None:
            warnings += self.add_rules(
                [Rule.parse({"text": BLOCKED_RULE, "id": BLOCKED})], at=1, by=by
            ).warnings
        elif rule.text != BLOCKED_RULE:
            raise Conflict(
                f"the rule {BLOCKED} is not `{BLOCKED_RULE}` but `{rule.text}`",
                code="blocked-taken",
                field="target",
                hint=f"give that rule another id, or make it so: xdpwall rule set {BLOCKED} ...",
            )
        change = self.change_set(BLOCKED, add=[entry.text], expires=expires, by=by)
        if rule is not None and rule.position != 1:
            warnings.append(
                f"rule {BLOCKED} stands at {rule.position}: those in front decide first"
            )
        return BlockOutcome(
            block=BlockView(target=entry.text, rule=BLOCKED, expires=expires),
            changed=bool(change.added),
            warnings=[*warnings, *change.warnings],
        )

    def _block_by_rule(self, wanted: Rule, expires: str | None, by: Author) -> BlockOutcome:
        rules = self.rules().rules
        if over := [one.id for one in rules if is_block(one.id) and one.expired]:
            self.delete_rules(over, by=by)
        there = _same_block(rules, wanted)
        if there is not None:
            same = there.expires == expires
            if not same:
                self.set_rule(there.id, {"expires": expires}, by=by)
            view = _view(there).model_copy(update={"expires": expires})
            return BlockOutcome(block=view, changed=not same)
        fields = {**wanted.to_json(), "id": next_block_id(one.id for one in rules)}
        if expires is not None:
            fields["expires"] = expires
        behind = bool(rules) and rules[0].id == BLOCKED
        outcome = self.add_rules([Rule.parse(fields)], at=2 if behind else 1, by=by)
        return BlockOutcome(block=_view(outcome.rules[0]), changed=True, warnings=outcome.warnings)

    def _has_set(self) -> bool:
        return any(one.name == BLOCKED for one in self.sets().sets)

    def _covering(self, entry: AddressEntry) -> list[str]:
        if entry.exact:
            return self.test_set(BLOCKED, entry.text).by
        first = AddressEntry(entry.family, entry.address, 32 if entry.family == 4 else 128)
        return [
            text
            for text in self.test_set(BLOCKED, first.text).by
            if parse_entry(text).contains(entry)
        ]


def _check_not_own(entry: AddressEntry, by: Author) -> None:
    if by.session is None or by.force:
        return
    peer, local = by.session.peer, by.session.local
    if entry.contains(address_entry(peer)):
        whose = f"where you come from ({peer})"
    elif entry.contains(address_entry(local)):
        whose = f"this host's address by which you are connected ({local})"
    else:
        return
    raise Refused(
        f"{entry.text} is {whose}: it would block you",
        code="own-address",
        field="target",
        value=entry.text,
        hint="--force blocks it all the same",
    )


def _same_block(rules: Sequence[RuleView], wanted: Rule) -> RuleView | None:
    words = block_words(wanted)
    for one in rules:
        if is_block(one.id) and not one.expired and _words(one) == words:
            return one
    return None


def _not_blocked(message: str, target: str) -> NotFound:
    return NotFound(
        message,
        code="not-blocked",
        field="target",
        value=target,
        hint="xdpwall block lists what is",
    )


def _words(rule: RuleView) -> str:
    text = rule.text
    if rule.comment is not None or rule.expires is not None:
        return block_words(Rule.parse(text))
    return text.removeprefix("drop ")


def _view(rule: RuleView) -> BlockView:
    return BlockView(target=_words(rule), rule=rule.id, expires=rule.expires, packets=rule.packets)
