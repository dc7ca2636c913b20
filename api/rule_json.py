"""Rules as JSON, cached: a rule's own fields are serialized once, its counters each time.

16,384 rules through the models take 0.4 s, of which the counters, all that is new, are a
hundredth. The bytes are those that the models give (a test compares them).
"""

from __future__ import annotations

from xdpwall.firewall.observation import Observation
from xdpwall.firewall.rule_views import since_reset
from xdpwall.rule.field_names import READ_ONLY_FIELDS
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.index import RuleEntry
from xdpwall.views.rules import RuleView

_CHANGING = set(READ_ONLY_FIELDS) - {"text"}


class RuleJsonCache:
    """Cache of the serialized rules of one firewall; any thread may use it."""

    def __init__(self) -> None:
        self._cached: dict[str, tuple[Rule, str]] = {}

    def rules_json(self, seen: Observation) -> bytes:
        """The array of `RuleView` of an observation."""
        kept = self._fixed_parts(seen.ruleset.entries)
        return f"[{','.join(self._write_each(seen, kept))}]".encode()

    def list_json(self, seen: Observation) -> bytes:
        """The `RuleList` of an observation."""
        return b'{"revision":%d,"rules":%s}' % (seen.ruleset.revision, self.rules_json(seen))

    def _write_each(self, seen: Observation, kept: dict[str, tuple[Rule, str]]) -> list[str]:
        written = []
        for at, (entry, raw) in enumerate(zip(seen.ruleset.entries, seen.raw, strict=True), 1):
            packets, size = since_reset(entry, raw)
            hit = seen.hits.get(entry.id)
            limited = _count_member("limited", seen.more.limited.get(entry.id))
            answered = _count_member("answered", seen.more.answered.get(entry.id))
            over = "true" if entry.id in seen.expired else "false"
            written.append(
                f'{kept[entry.id][1]},"position":{at},"packets":{packets},"bytes":{size},'
                f"{limited}{answered}{_time_member('last_hit', hit)}{_time_member('created', entry.created)}"
                f'"expired":{over}}}'
            )
        return written

    def _fixed_parts(self, entries: tuple[RuleEntry, ...]) -> dict[str, tuple[Rule, str]]:
        """The fixed part of each rule by id; a rule that was changed is another object."""
        before, kept = self._cached, {}
        for entry in entries:
            known = before.get(entry.id)
            same = known is not None and known[0] is entry.rule
            kept[entry.id] = known if known and same else (entry.rule, _fixed_part(entry))
        self._cached = kept
        return kept


def _fixed_part(entry: RuleEntry) -> str:
    """The object without the fields of _CHANGING and without its closing brace."""
    view = RuleView(**entry.rule.to_json(), text=entry.rule.text, position=0, created=entry.created)
    return view.model_dump_json(exclude_none=True, by_alias=True, exclude=_CHANGING)[:-1]


def _count_member(name: str, count: int | None) -> str:
    """A member of an object, or nothing."""
    return "" if count is None else f'"{name}":{count},'


def _time_member(name: str, time: str | None) -> str:
    """A member of an object, or nothing. A canonical time needs no escapes."""
    return "" if time is None else f'"{name}":"{time}",'
