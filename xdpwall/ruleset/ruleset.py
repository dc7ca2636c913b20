"""A ruleset as a user states it: policy, timeouts, sets, rules, attachments. Frozen and canonical. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from xdpwall.errors import InvalidInput
from xdpwall.gcpause import no_collections
from xdpwall.limits import MAX_RULES
from xdpwall.rule.rule import Rule
from xdpwall.sets.content import SetContent, SetFileReader, parse_sets
from xdpwall.sets.names import SetRow
from xdpwall.values.inputs import invalid, parse_in_list, refuse_unknown_fields

from .attachment import AttachmentSpec, parse_attachments
from .flow_timeouts import FlowTimeouts, parse_flows
from .policy import Policy, parse_policy
from .set_references import check_sets_known


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Policy and rules, in order. `sets` and `attachments` None leave those there are as they are;
    otherwise exactly these are there afterwards."""

    rules: tuple[Rule, ...] = ()
    policy: Policy = field(default_factory=Policy)
    attachments: tuple[AttachmentSpec, ...] | None = None
    sets: Mapping[str, SetContent] | None = None
    version: Literal[1] = 1
    timeouts: FlowTimeouts = field(default_factory=FlowTimeouts)
    """The section `flows`."""

    @classmethod
    def parse(cls, obj: object, *, files: SetFileReader | None = None) -> Ruleset:
        """From the object of a ruleset file. An error's field is `rules[2].src`, from 0.

        `files` reads the `file` of a set; without it that key is refused.
        """
        if not isinstance(obj, Mapping):
            raise invalid("ruleset", obj, "is not a ruleset", "an object with version and rules")
        refuse_unknown_fields(
            obj, ("version", "policy", "flows", "sets", "rules", "attachments"), "a ruleset"
        )
        for name, wanted in (("version", "version: 1"), ("rules", "a list ([] for none)")):
            if name not in obj:
                raise InvalidInput(f"{name}: missing; wanted {wanted}", field=name)
        if type(obj["version"]) is not int or obj["version"] != 1:
            raise invalid("version", obj["version"], "is not a version known here", "1")
        attachments = None
        if "attachments" in obj:
            attachments = parse_attachments(obj["attachments"])
        rules = parse_rules(obj["rules"])
        sets = None
        if "sets" in obj:
            sets = parse_sets(obj["sets"], files=files)
            rows = [SetRow(name, 0, "") for name in sets]
            for index, rule in enumerate(rules):
                parse_in_list("rules", index, check_sets_known, [rule], rows)
        policy, timeouts = parse_policy(obj.get("policy", {})), parse_flows(obj.get("flows", {}))
        return cls(rules, policy, attachments, sets, timeouts=timeouts)

    def to_json(self) -> dict[str, Any]:
        """The object of a ruleset file."""
        found: dict[str, Any] = {"version": self.version, "policy": self.policy.to_json()}
        if timeouts := self.timeouts.to_json():
            found["flows"] = {"timeouts": timeouts}
        if self.sets is not None:
            found["sets"] = {name: content.to_json() for name, content in self.sets.items()}
        found["rules"] = [rule.to_json() for rule in self.rules]
        if self.attachments is not None:
            found["attachments"] = [spec.to_json() for spec in self.attachments]
        return found


def parse_rules(obj: object) -> tuple[Rule, ...]:
    """The rules of a ruleset; ids that are given are all different."""
    if isinstance(obj, (str, bytes)) or not isinstance(obj, Sequence):
        raise invalid("rules", obj, "is not a list of rules", "a list of objects and sentences")
    if len(obj) > MAX_RULES:
        raise InvalidInput(
            f"rules: {len(obj):,} of them; at most {MAX_RULES:,} fit",
            field="rules",
            code="too-many",
        )
    with no_collections():
        rules = tuple(
            parse_in_list("rules", index, Rule.parse, one) for index, one in enumerate(obj)
        )
    seen: dict[str, int] = {}
    for index, rule in enumerate(rules):
        if rule.id is not None and seen.setdefault(rule.id, index) != index:
            raise InvalidInput(
                f"rule {index + 1}: id: {rule.id!r} is the id of rule {seen[rule.id] + 1} too",
                field=f"rules[{index}].id",
                value=rule.id,
            )
    return rules
