"""The policy: the verdict for packets that no rule decides. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from xdpwall.rule.rule import Rule
from xdpwall.values.inputs import invalid, parse_choice, refuse_unknown_fields
from xdpwall.values.terms import Verdict

TrackedVerdict = Literal["accept", "drop", "accept keep"]
KEEP: Literal["accept keep"] = "accept keep"
"""Packets that pass by the policy make a flow."""


def parse_policy(obj: object) -> Policy:
    """Parse a policy; what it leaves out is `accept`."""
    if not isinstance(obj, Mapping):
        raise invalid("policy", obj, "is not a policy", "an object like {ingress: drop}")
    refuse_unknown_fields(obj, tuple(Policy.model_fields), "a policy", "policy.")
    for name, value in obj.items():
        check_policy(name, value, f"policy.{name}")
    return Policy(**{str(name): value for name, value in obj.items()})


def check_policy(name: str, value: object, shown_as: str | None = None) -> None:
    """InvalidInput unless `name` is a field of the policy and `value` one of its values."""
    refuse_unknown_fields({name: value}, tuple(Policy.model_fields), "a policy")
    second = "judge" if name == "neighbor_discovery" else "drop"
    known = ("accept", second, *((KEEP,) if name in ("ingress", "egress") else ()))
    hint = None
    if value == "drop keep":
        hint = "what is dropped makes no flow"
    elif value == "keep":
        hint = "keep stands behind accept: accept keep"
    elif isinstance(value, str) and value not in known:
        from xdpwall.rule.sentence_hints import FOREIGN_ACTIONS  # only an error needs it

        hint = FOREIGN_ACTIONS.get(value.lower())
    parse_choice(shown_as or name, value, known, hint=hint)


class Policy(BaseModel):
    """The verdict for packets that no rule decides, by direction and kind."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    ingress: TrackedVerdict = "accept"
    egress: TrackedVerdict = "accept"
    non_ip: Verdict = "accept"
    neighbor_discovery: Literal["accept", "judge"] = "accept"

    def to_json(self) -> dict[str, str]:
        """The JSON object."""
        return self.model_dump()


def asks_for_flows(rules: Iterable[Rule], policy: Policy) -> bool:
    """Whether packets are tracked: the policy says keep, or an enabled rule says so or names a state."""
    if KEEP in (policy.ingress, policy.egress):
        return True
    return any(rule.enabled and (rule.keep or rule.state is not None) for rule in rules)
