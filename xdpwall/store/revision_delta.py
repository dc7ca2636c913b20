"""A revision as its difference to the one before, packed for the disk."""

from __future__ import annotations

import json
import zlib
from dataclasses import astuple
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from xdpwall.errors import Failed
from xdpwall.rule.field_names import RATE_FIELDS
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.ruleset.flow_timeouts import FlowTimeouts
from xdpwall.ruleset.index import RuleEntry, id_of, rank_of, with_ids
from xdpwall.ruleset.policy import Policy
from xdpwall.sets.names import SetRow
from xdpwall.values.rates import rate_json

_SHORT = 2048
"""Bytes below which to compress costs more than it saves: half a page."""
_SUMMED = b"\x01"
"""The first byte of a delta with a checksum."""
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode


class RuleRow(NamedTuple):
    """One row of the table `rules`, in its column order."""

    id: str
    rank: int
    rule: str
    slot: int
    created: str
    base_packets: int
    base_bytes: int


class RevisionDelta(NamedTuple):
    """The rows, policies and timeouts that differ between a revision and the next, before and after."""

    rules: list[tuple[RuleRow | None, RuleRow | None]]
    policy: tuple[Policy, Policy]
    next_number: int
    sets: tuple[tuple[SetRow, ...], tuple[SetRow, ...]] = ((), ())
    """Two that are equal are no change; what they are is not kept then."""
    timeouts: tuple[FlowTimeouts, FlowTimeouts] = (FlowTimeouts(), FlowTimeouts())

    def pack(self) -> bytes:
        """Bytes for the disk: a full ruleset's JSON shrinks to a tenth, a rule's stays as it is."""
        data = {
            "rules": self.rules,
            "policy": [policy.to_json() for policy in self.policy],
            "next_number": self.next_number,
            "sets": [[astuple(row) for row in rows] for rows in self.sets],
            "timeouts": [timeouts.to_json() for timeouts in self.timeouts],
        }
        text = _ENCODE(data).encode()
        body = text if len(text) < _SHORT else zlib.compress(text, 1)
        return _SUMMED + zlib.crc32(body).to_bytes(4, "little") + body

    def reversed(self) -> RevisionDelta:
        """The way back; ids that were made are not made again."""
        rules = [(after, before) for before, after in self.rules]
        return RevisionDelta(
            rules, self.policy[::-1], self.next_number, self.sets[::-1], self.timeouts[::-1]
        )

    def slots_left(self) -> list[tuple[str, int]]:
        """The rules that leave their slots by the change, and the slots."""
        return [
            (before.id, before.slot)
            for before, after in self.rules
            if before is not None and (after is None or after.slot != before.slot)
        ]

    @classmethod
    def unpack(cls, blob: bytes) -> RevisionDelta:
        """The inverse of pack; Failed "corrupt" when the bytes are not ours."""
        try:
            # An earlier release wrote the body alone.
            if blob.startswith(_SUMMED):
                checksum, blob = int.from_bytes(blob[1:5], "little"), blob[5:]
                if checksum != zlib.crc32(blob):
                    raise ValueError("wrong checksum")
            data = json.loads(blob if blob.startswith(b"{") else zlib.decompress(blob))
            before, after = (Policy(**policy) for policy in data["policy"])
            rules = [(_row(old), _row(new)) for old, new in data["rules"]]
            # Revisions that an xdpwall without sets recorded have none.
            had, has = (tuple(SetRow(*row) for row in rows) for rows in data.get("sets", [[], []]))
            # Nor have those of an xdpwall without flows timeouts.
            last, then = (FlowTimeouts(**one) for one in data.get("timeouts", [{}, {}]))
            return cls(rules, (before, after), int(data["next_number"]), (had, has), (last, then))
        except (zlib.error, ValueError, KeyError, TypeError) as error:
            raise Failed(
                "a recorded revision cannot be read", code="corrupt", detail=str(error)
            ) from error


def row_of(entry: RuleEntry) -> RuleRow:
    """The row that keeps an entry."""
    rule, slot, created, rank, packets, size = entry
    return RuleRow(id_of(entry), rank, _json(rule), slot, created, packets, size)


_FLAGS = ("keep", "cookie", "log")
"""The fields that are left out where they are false."""


def _json(rule: Rule) -> str:
    """json.dumps(rule.to_json()) in a third of the time, which 10,000 rules are worth."""
    parts = [
        f'"{name}":{_member(name, value)}'
        for name, value in rule.__dict__.items()
        if value is not None
        and not (value is True and name == "enabled" or value is False and name in _FLAGS)
    ]
    return f"{{{','.join(parts)}}}"


def _member(name: str, value: Any) -> str:
    if name in RATE_FIELDS:
        return json.dumps(rate_json(value))
    return encode_basestring(value) if isinstance(value, str) else json.dumps(value)


def delta_between(old: CommittedRuleset, new: CommittedRuleset) -> RevisionDelta:
    """Compute the difference between two committed rulesets, `old` and then `new`."""
    step = new.step
    if step is not None and step.since is old.entries:
        before, after = with_ids(step.gone), with_ids(step.come)
    else:
        before, after = dict(old.by_id()), dict(new.by_id())
    rules: list[tuple[RuleRow | None, RuleRow | None]] = []
    for rule_id in {**before, **after}:
        was, becomes = before.get(rule_id), after.get(rule_id)
        if was is not becomes and was != becomes:
            rules.append((row_of(was) if was else None, row_of(becomes) if becomes else None))
    sets = ((), ()) if old.sets == new.sets else (old.sets, new.sets)
    timeouts = (old.timeouts, new.timeouts)
    return RevisionDelta(rules, (old.policy, new.policy), new.next_number, sets, timeouts)


def stepped_back(
    ruleset: CommittedRuleset, delta: RevisionDelta, revision: int
) -> CommittedRuleset:
    """The ruleset that a change was made to, under its number, from the one that the change led to.
    ValueError when it is not the change that led to it. Counters are as they are now."""
    entries = dict(ruleset.by_id())
    had, has = delta.sets
    sets_changed = had != has
    if ruleset.policy != delta.policy[1] or (sets_changed and ruleset.sets != has):
        raise ValueError("policy or sets are others than it led to")
    if ruleset.timeouts != delta.timeouts[1]:
        raise ValueError("timeouts are others than it led to")
    for _, after in delta.rules:
        if after is not None:
            entry = entries.pop(after.id, None)
            if entry is None or entry.rank != after.rank or not _keeps(after, entry):
                raise ValueError(f"rule {after.id} is another than it led to")
    for before, _ in delta.rules:
        if before is not None:
            if before.id in entries:
                raise ValueError(f"rule {before.id} is there twice")
            entries[before.id] = entry_of(before)
    return CommittedRuleset(
        revision=revision,
        policy=delta.policy[0],
        entries=tuple(sorted(entries.values(), key=rank_of)),
        next_number=ruleset.next_number,
        sets=had if sets_changed else ruleset.sets,
        timeouts=delta.timeouts[0],
    )


def _keeps(row: RuleRow, entry: RuleEntry) -> bool:
    return _json(entry.rule) == row.rule or entry_of(row).rule == entry.rule


def entry_of(row: RuleRow) -> RuleEntry:
    """The entry that a row keeps."""
    return RuleEntry(
        rule=Rule.parse(json.loads(row.rule)),
        slot=row.slot,
        created=row.created,
        rank=row.rank,
        base_packets=row.base_packets,
        base_bytes=row.base_bytes,
    )


def _row(fields: list[Any] | None) -> RuleRow | None:
    return None if fields is None else RuleRow(*fields)
