"""An attachment as it is asked for and as it is recorded. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from xdpwall.errors import InvalidInput
from xdpwall.rule.iface_selector import (
    NO_RELATIONS,
    Relations,
    is_pattern,
    is_relation,
    matches,
    parse_selector,
)
from xdpwall.rule.rule import Rule
from xdpwall.values.inputs import invalid, parse_choice, parse_in_list, refuse_unknown_fields
from xdpwall.values.terms import Direction, Hook, Mode, Place, WantedMode, direction_of, hook_of

from .attachment_pattern import AttachmentPattern


@dataclass(frozen=True, slots=True)
class AttachmentSpec:
    """One program wanted on one interface, or on all that match `iface`. `mode` is about xdp alone; tc
    has `auto`."""

    iface: str
    hook: Hook = "xdp"
    direction: Direction = "ingress"
    mode: WantedMode = "auto"
    if_present: bool = False
    """The interface need not exist yet; `veth*` and `ports:docker0` never need one."""
    hold: bool = False
    """The service puts the program back when somebody takes it off. Goes with `if_present`: wanted until it
    is detached."""

    def __post_init__(self) -> None:
        """InvalidInput for what no kernel could attach."""
        parse_selector("iface", self.iface)
        for name, value in (("if_present", self.if_present), ("hold", self.hold)):
            if type(value) is not bool:
                raise invalid(name, value, "is not a truth value", "true or false")
        parse_choice("hook", self.hook, ("xdp", "tc"))
        parse_choice("direction", self.direction, ("ingress", "egress"))
        parse_choice("mode", self.mode, ("auto", "native", "generic"))
        if self.hook == "xdp" and self.direction == "egress":
            raise invalid(
                "direction",
                self.direction,
                "is not seen by xdp, which has ingress only",
                "hook: tc for egress",
                hint=f"xdpwall attach {self.iface} --hook tc --direction egress",
            )
        if self.hook == "tc" and self.mode != "auto":
            raise invalid("mode", self.mode, "is a mode of xdp, tc has none", "no mode, or auto")

    @property
    def place(self) -> Place:
        """Hook and direction in one word: the key within an interface."""
        return "xdp" if self.hook == "xdp" else cast(Place, f"tc-{self.direction}")

    @property
    def by_policy(self) -> bool:
        """Whether it is wanted whatever interfaces there are now."""
        return self.if_present or self.hold or is_pattern(self.iface)

    @classmethod
    def at(
        cls,
        iface: str,
        place: str,
        mode: WantedMode = "auto",
        *,
        if_present: bool = False,
        hold: bool = False,
    ) -> AttachmentSpec:
        """From `xdp`, `tc-ingress` or `tc-egress`."""
        parse_choice("place", place, ("xdp", "tc-ingress", "tc-egress"))
        if place == "xdp":
            return cls(iface, "xdp", "ingress", mode, if_present, hold)
        return cls(iface, "tc", cast(Direction, place[3:]), mode, if_present, hold)

    @classmethod
    def of_pattern(cls, pattern: AttachmentPattern) -> AttachmentSpec:
        """As the pattern was asked for."""
        return cls.at(
            pattern.selector,
            pattern.place,
            pattern.mode or "auto",
            if_present=pattern.is_name,
            hold=pattern.hold,
        )

    @classmethod
    def parse(cls, obj: object) -> AttachmentSpec:
        """From an object of iface, hook, direction, mode, if_present and hold; only iface is needed."""
        if not isinstance(obj, Mapping):
            raise invalid(
                "attachment", obj, "is not an attachment", "an object with iface and hook"
            )
        refuse_unknown_fields(
            obj, ("iface", "hook", "direction", "mode", "if_present", "hold"), "an attachment"
        )
        if "iface" not in obj:
            raise InvalidInput("iface: missing; wanted the name of an interface", field="iface")
        return cls(**{str(name): value for name, value in obj.items()})

    def to_json(self) -> dict[str, Any]:
        """The object; `mode` for xdp only, `if_present` and `hold` where they say something."""
        found: dict[str, Any] = {
            "iface": self.iface,
            "hook": self.hook,
            "direction": self.direction,
        }
        if self.hook == "xdp":
            found["mode"] = self.mode
        if self.if_present and not is_pattern(self.iface):
            found["if_present"] = True
        if self.hold:
            found["hold"] = True
        return found


def refuse_to_replace(spec: AttachmentSpec) -> InvalidInput:
    """The error of a program to be displaced wherever an interface matches."""
    return invalid(
        "replace",
        True,
        f"is about one interface's program, and {spec.iface} is wanted by policy",
        "false",
        hint="attach that one interface by its name, with --replace",
    )


def parse_attachments(obj: object) -> tuple[AttachmentSpec, ...]:
    """Parse the attachments of a ruleset."""
    if isinstance(obj, (str, bytes)) or not isinstance(obj, Sequence):
        raise invalid("attachments", obj, "is not a list of attachments", "a list of objects")
    specs = (
        parse_in_list("attachments", index, AttachmentSpec.parse, one)
        for index, one in enumerate(obj)
    )
    return tuple(attachments_by_place(specs).values())


def attachments_by_place(
    specs: Iterable[AttachmentSpec],
) -> dict[tuple[str, Place], AttachmentSpec]:
    """The attachments by (interface, place); InvalidInput when a place is there twice."""
    found: dict[tuple[str, Place], AttachmentSpec] = {}
    for index, spec in enumerate(specs):
        if (spec.iface, spec.place) in found:
            raise InvalidInput(
                f"attachment {index + 1}: {spec.iface} {spec.place} stands there twice",
                field=f"attachments[{index}].iface",
                value=spec.iface,
            )
        found[spec.iface, spec.place] = spec
    return found


def check_direction(rule: Rule, attachments: Sequence[AttachmentSpec]) -> None:
    """Refuse `direction: egress` on a rule for an interface that has only xdp."""
    if rule.direction != "egress" or rule.iface is None or rule.iface.startswith("!"):
        return
    named = rule.iface
    places = {
        spec.place
        for spec in attachments
        if spec.iface == named or (not is_relation(named) and matches(spec.iface, named, None))
    }
    if places == {"xdp"}:
        raise invalid(
            "direction",
            "egress",
            f"is never seen on {rule.iface}, where only xdp is attached",
            "direction: ingress, or an attachment that sees egress",
            hint=f"xdpwall attach {rule.iface} --hook tc --direction egress",
        )


Intent = Literal["attaching", "attached", "leaving"]


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attachment as wanted, and as it was when it was made."""

    iface: str
    place: Place
    index: int
    wanted: WantedMode | None
    """XDP only."""
    number: int
    """In the kernel's totals; stays with the row."""
    since: str
    mode: Mode | None = None
    kind: str | None = None
    """The interface's kind (bridge, veth, ...) when it was attached."""
    intent: Intent = "attached"
    """Anything but "attached" is a change that did not end."""
    why_generic: str | None = field(default=None, compare=False)
    """Why `auto` took generic mode, in the answer to what attached it; not recorded."""
    relations: Relations = field(default=NO_RELATIONS, compare=False)
    """What its interface is to others now (attach/relations.py); not recorded."""

    @classmethod
    def planned(cls, spec: AttachmentSpec) -> Attachment:
        """One that is not made: on no interface's index, with no number in the totals."""
        return cls(spec.iface, spec.place, 0, spec.mode, -1, "")

    @property
    def hook(self) -> Hook:
        """xdp or tc."""
        return hook_of(self.place)

    @property
    def direction(self) -> Direction:
        """ingress or egress."""
        return direction_of(self.place)

    @property
    def spec(self) -> AttachmentSpec:
        """The attachment as it was asked for."""
        return AttachmentSpec(self.iface, self.hook, self.direction, self.wanted or "auto")

    @property
    def words(self) -> str:
        """As answers name it: "docker0 xdp"."""
        return f"{self.iface} {self.place}"


def stated_attachments(
    rows: Iterable[Attachment], patterns: Iterable[AttachmentPattern]
) -> tuple[AttachmentSpec, ...]:
    """The attachments as a ruleset states them: what a pattern has attached goes without saying."""
    wanted = list(patterns)
    made = {(name, one.place) for one in wanted for name in one.members}
    return (
        *(row.spec for row in rows if (row.iface, row.place) not in made),
        *(AttachmentSpec.of_pattern(one) for one in wanted),
    )


def attachment_places(rows: Iterable[Attachment | AttachmentSpec]) -> list[tuple[str, bool]]:
    """(interface, whether egress) of each."""
    return [(row.iface, row.direction == "egress") for row in rows]
