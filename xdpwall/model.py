"""What a user states: rules, attachments, rulesets. Frozen, validated, canonical; no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, cast

from . import views
from .collecting import no_collections
from .errors import InvalidInput
from .fields import parse_iface_name
from .inputs import bad, choice, only_known
from .rule import MATCH_FIELDS, Rule
from .setcontent import Files, SetContent, parse_sets
from .setnames import SetRow, check_sets_known

__all__ = [
    "MATCH_FIELDS",
    "MAX_RULES",
    "AttachmentSpec",
    "Rule",
    "Ruleset",
    "check_direction",
    "parse_policy",
    "parse_rules",
]

MAX_RULES = 16384

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class AttachmentSpec:
    """One program wanted on one interface. `mode` is about xdp alone; tc has `auto`."""

    iface: str
    hook: views.Hook = "xdp"
    direction: views.Direction = "ingress"
    mode: views.WantedMode = "auto"

    def __post_init__(self) -> None:
        """Refuse what cannot be attached; see parse for objects from outside."""
        parse_iface_name("iface", self.iface)
        choice("hook", self.hook, ("xdp", "tc"))
        choice("direction", self.direction, ("ingress", "egress"))
        choice("mode", self.mode, ("auto", "native", "generic"))
        if self.hook == "xdp" and self.direction == "egress":
            raise bad(
                "direction",
                self.direction,
                "is not seen by xdp, which has ingress only",
                "hook: tc for egress",
                hint=f"xdpwall attach {self.iface} --hook tc --direction egress",
            )
        if self.hook == "tc" and self.mode != "auto":
            raise bad("mode", self.mode, "is a mode of xdp, tc has none", "no mode, or auto")

    @property
    def place(self) -> views.Place:
        """Hook and direction in one word: the key within an interface."""
        return "xdp" if self.hook == "xdp" else cast(views.Place, f"tc-{self.direction}")

    @classmethod
    def at(cls, iface: str, place: str, mode: views.WantedMode = "auto") -> AttachmentSpec:
        """From `xdp`, `tc-ingress` or `tc-egress`."""
        choice("place", place, ("xdp", "tc-ingress", "tc-egress"))
        if place == "xdp":
            return cls(iface, "xdp", "ingress", mode)
        return cls(iface, "tc", cast(views.Direction, place[3:]), mode)

    @classmethod
    def parse(cls, obj: object) -> AttachmentSpec:
        """From {"iface": ..., "hook": ..., "direction": ..., "mode": ...}; only iface is needed."""
        if not isinstance(obj, Mapping):
            raise bad("attachment", obj, "is not an attachment", "an object with iface and hook")
        only_known(obj, ("iface", "hook", "direction", "mode"), "an attachment")
        if "iface" not in obj:
            raise InvalidInput("iface: missing; wanted the name of an interface", field="iface")
        return cls(**{str(name): value for name, value in obj.items()})

    def to_json(self) -> dict[str, Any]:
        """The object; `mode` for xdp only."""
        found = {"iface": self.iface, "hook": self.hook, "direction": self.direction}
        return {**found, "mode": self.mode} if self.hook == "xdp" else found


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Policy and rules, in order. `sets` and `attachments` None leave those there are as they are;
    otherwise exactly these are there afterwards."""

    rules: tuple[Rule, ...] = ()
    policy: views.Policy = field(default_factory=views.Policy)
    attachments: tuple[AttachmentSpec, ...] | None = None
    sets: Mapping[str, SetContent] | None = None
    version: Literal[1] = 1

    @classmethod
    def parse(cls, obj: object, *, files: Files | None = None) -> Ruleset:
        """From the object of a ruleset file. An error's field is `rules[2].src`, from 0.

        `files` reads the `file` of a set; without it that key is refused.
        """
        if not isinstance(obj, Mapping):
            raise bad("ruleset", obj, "is not a ruleset", "an object with version and rules")
        only_known(obj, ("version", "policy", "sets", "rules", "attachments"), "a ruleset")
        for name, wanted in (("version", "version: 1"), ("rules", "a list ([] for none)")):
            if name not in obj:
                raise InvalidInput(f"{name}: missing; wanted {wanted}", field=name)
        if type(obj["version"]) is not int or obj["version"] != 1:
            raise bad("version", obj["version"], "is not a version known here", "1")
        attachments = None
        if "attachments" in obj:
            attachments = parse_attachments(obj["attachments"])
        rules = parse_rules(obj["rules"])
        sets = None
        if "sets" in obj:
            sets = parse_sets(obj["sets"], files=files)
            rows = [SetRow(name, 0, "") for name in sets]
            for index, rule in enumerate(rules):
                in_list("rules", index, check_sets_known, [rule], rows)
        return cls(rules, parse_policy(obj.get("policy", {})), attachments, sets)

    def to_json(self) -> dict[str, Any]:
        """The object of a ruleset file."""
        found: dict[str, Any] = {"version": self.version, "policy": self.policy.to_json()}
        if self.sets is not None:
            found["sets"] = {name: content.to_json() for name, content in self.sets.items()}
        found["rules"] = [rule.to_json() for rule in self.rules]
        if self.attachments is not None:
            found["attachments"] = [spec.to_json() for spec in self.attachments]
        return found


def parse_policy(obj: object) -> views.Policy:
    """The policy of a ruleset; what it leaves out is `accept`."""
    if not isinstance(obj, Mapping):
        raise bad("policy", obj, "is not a policy", "an object like {ingress: drop}")
    only_known(obj, tuple(views.Policy.model_fields), "a policy", "policy.")
    for name, value in obj.items():
        check_policy(name, value, f"policy.{name}")
    return views.Policy(**{str(name): value for name, value in obj.items()})


def check_policy(name: str, value: object, shown_as: str | None = None) -> None:
    """One field of the policy and its value, as `policy set` and PUT /policy give them."""
    only_known({name: value}, tuple(views.Policy.model_fields), "a policy")
    second = "judge" if name == "neighbor_discovery" else "drop"
    choice(shown_as or name, value, ("accept", second))


def parse_rules(obj: object) -> tuple[Rule, ...]:
    """The rules of a ruleset; ids that are given are all different."""
    if isinstance(obj, (str, bytes)) or not isinstance(obj, Sequence):
        raise bad("rules", obj, "is not a list of rules", "a list of objects and sentences")
    if len(obj) > MAX_RULES:
        raise InvalidInput(
            f"rules: {len(obj):,} of them; at most {MAX_RULES:,} fit",
            field="rules",
            code="too-many",
        )
    with no_collections():
        rules = tuple(in_list("rules", index, Rule.parse, one) for index, one in enumerate(obj))
    seen: dict[str, int] = {}
    for index, rule in enumerate(rules):
        if rule.id is not None and seen.setdefault(rule.id, index) != index:
            raise InvalidInput(
                f"rule {index + 1}: id: {rule.id!r} is the id of rule {seen[rule.id] + 1} too",
                field=f"rules[{index}].id",
                value=rule.id,
            )
    return rules


def parse_attachments(obj: object) -> tuple[AttachmentSpec, ...]:
    """The attachments of a ruleset, each place of an interface once."""
    if isinstance(obj, (str, bytes)) or not isinstance(obj, Sequence):
        raise bad("attachments", obj, "is not a list of attachments", "a list of objects")
    specs: dict[tuple[str, str], AttachmentSpec] = {}
    for index, one in enumerate(obj):
        spec = in_list("attachments", index, AttachmentSpec.parse, one)
        if (spec.iface, spec.place) in specs:
            raise InvalidInput(
                f"attachment {index + 1}: {spec.iface} {spec.place} stands there twice",
                field=f"attachments[{index}].iface",
                value=spec.iface,
            )
        specs[spec.iface, spec.place] = spec
    return tuple(specs.values())


def check_direction(rule: Rule, attachments: Sequence[AttachmentSpec]) -> None:
    """Refuse `direction: egress` on a rule for an interface that has only xdp."""
    if rule.direction != "egress" or rule.iface is None or rule.iface.startswith("!"):
        return
    places = {spec.place for spec in attachments if spec.iface == rule.iface}
    if places == {"xdp"}:
        raise bad(
            "direction",
            "egress",
            f"is never seen on {rule.iface}, where only xdp is attached",
            "direction: ingress, or an attachment that sees egress",
            hint=f"xdpwall attach {rule.iface} --hook tc --direction egress",
        )


def in_list(name: str, index: int, parse: Callable[..., _T], *args: object) -> _T:
    """Call `parse`; its error says which entry of the list it is about."""
    try:
        return parse(*args)
    except InvalidInput as error:
        word = name.removesuffix("s")
        error.message = f"{word} {index + 1}: {error.message}"
        error.args = (error.message,)
        inner = f".{error.field}" if error.field not in (None, word) else ""
        error.field = f"{name}[{index}]{inner}"
        raise
