"""Models of request bodies, for OpenAPI and for parsing. A rule's own fields are parsed by Rule."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field, WithJsonSchema

from xdpwall.api.body_checks import Body
from xdpwall.api.errors import Problem
from xdpwall.api.openapi.attach_bodies import AttachBody, AttachmentBody, TcAttachBody
from xdpwall.api.openapi.words import (
    FLOWS,
    ID,
    POSITION,
    SENTENCE,
    EntryText,
    ExpiryText,
    IdText,
    PacketText,
)
from xdpwall.limits import MAX_RULES
from xdpwall.rule.sentence_complete import CompletionKind
from xdpwall.ruleset.policy import Policy
from xdpwall.sets.names import MAX_SETS
from xdpwall.values.roles import Role
from xdpwall.values.terms import Verdict
from xdpwall.views.base import View
from xdpwall.views.explain import MOST_PACKETS, MOST_RULES, GivenFrame


class _StopAtFirst(FailFast):
    """An error is made for the first wrong item, not for each of a million."""

    def __hash__(self) -> int:
        return 0


_NOT_EMPTY = ConfigDict(json_schema_extra={"minProperties": 1})


class Sentence(Body):
    """POST /rules/parse."""

    text: Annotated[str, WithJsonSchema({"type": "string"})]
    partial: bool = Field(False, description="it is being typed: answer completions too")


class CompletionView(View):
    """What the word at the end may become."""

    text: str
    kind: CompletionKind
    insert: str
    """Goes where `word` is."""
    hint: str | None = None


class Parsed(View):
    """The answer of POST /rules/parse: the rule, or the problem that adding it would answer."""

    rule: dict[str, Any] | None = None
    text: str | None = None
    """The canonical sentence."""
    warnings: list[str] | None = None
    """What to know about it with the attachments in place."""
    problem: Problem | None = None
    completions: list[CompletionView] | None = None
    """Only when they were asked for."""
    word: tuple[int, int] | None = None
    """First and last+1 character of what a completion replaces."""


class MoveBody(Body):
    """POST /rules/{id}/move: one of these."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    position: Annotated[Any, WithJsonSchema(POSITION)] = Field(
        None, description="the place after the move, from 1"
    )
    before: Annotated[Any, WithJsonSchema(ID)] = Field(
        None, description="the id of the rule in front of which it goes"
    )
    after: Annotated[Any, WithJsonSchema(ID)] = Field(
        None, description="the id of the rule behind which it goes"
    )


class IdsBody(Body):
    """The rules that a change of many is about."""

    ids: Annotated[list[IdText], _StopAtFirst()] = Field(json_schema_extra={"minItems": 1})


class SomeIdsBody(Body):
    """As IdsBody; absent means all."""

    ids: Annotated[list[IdText], _StopAtFirst()] | None = Field(
        None,
        json_schema_extra={
            "anyOf": [{"type": "array", "items": ID, "minItems": 1}, {"type": "null"}]
        },
    )


class SwitchBody(Body):
    """PUT /switch."""

    on: bool


class AppearedBody(Body):
    """POST /appeared."""

    interfaces: list[str]


class BlockBody(Body):
    """POST /block."""

    target: str
    lasts: str | None = Field(None, alias="for")
    """A duration or a time."""
    iface: str | None = None
    spared: str | None = Field(None, alias="except")


class TokenBody(Body):
    """POST /tokens."""

    name: IdText
    role: Role
    expires: ExpiryText | None = Field(None, description="a time or a duration; absent is never")
    sources: Annotated[list[EntryText], _StopAtFirst()] = Field(
        default=[], alias="from", description="prefixes that it is taken from; none is all"
    )


class CodeBody(Body):
    """POST /session."""

    code: str = Field(max_length=64)


class NamesBody(Body):
    """POST /tokens/revoke."""

    names: Annotated[list[IdText], _StopAtFirst()] = Field(json_schema_extra={"minItems": 1})


class PendingBody(Body):
    """POST /ruleset/confirm."""

    revision: int | None = None


class RollbackBody(Body):
    """POST /ruleset/rollback."""

    revision: int | None = None
    allow_empty: bool = Field(
        False, description="make sets that rules name and that are gone again, empty"
    )


class FlowSizeBody(Body):
    """PUT /flows/size."""

    places: Annotated[
        int,
        WithJsonSchema({"type": "integer", "enum": [1 << n for n in range(10, 25)]}),
    ] = Field(description="of each family: a power of two from 1,024 to 16,777,216")


class PolicyBody(Body):
    """PUT /policy: the named fields change."""

    model_config = _NOT_EMPTY

    ingress: Verdict | None = None
    egress: Verdict | None = None
    non_ip: Verdict | None = None
    neighbor_discovery: Literal["accept", "judge"] | None = Field(
        None, description="also about multicast listener discovery"
    )


class EventSettingsBody(Body):
    """PUT /events/settings: the named ones change."""

    model_config = _NOT_EMPTY

    enabled: bool | None = Field(None, description="false: no packet is reported")
    log_drops: bool | None = Field(None, description="report each drop, not only those of rules")
    sample: int | None = Field(None, ge=1, le=10_000, description="report one in so many")
    rate: int | None = Field(
        None, ge=1, le=1_000_000, description="a second, of one rule on one CPU"
    )
    bytes: int | None = Field(None, ge=0, le=256, description="of each frame")


class SetNameBody(Body):
    """POST /sets."""

    name: IdText


class TimedEntry(Body):
    """An entry that leaves by itself."""

    entry: EntryText
    expires: ExpiryText = Field(description="RFC 3339 time, or a duration from now (10m)")


class SetBody(Body):
    """What a set holds: PUT /sets/{name}, and `sets` of a ruleset. `packed` and `entries` add up."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["entries"]}, {"required": ["packed"]}]}
    )

    entries: list[EntryText | TimedEntry] | None = Field(None, description="addresses and prefixes")
    packed: str | None = Field(
        None,
        description="base64, as GET /ruleset answers large sets",
        json_schema_extra={"format": "packed-set", "minLength": 1},
    )
    allow_empty: bool = Field(
        True, description="false: 409 set-emptied where no entry would replace some"
    )
    most_shrink: int | None = Field(
        None, ge=0, le=100, description="percent: 409 set-shrunk where more of the entries would go"
    )


class SetEntriesBody(Body):
    """POST /sets/{name}/entries."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {name: {"minItems": 1}}, "required": [name]}
                for name in ("add", "remove")
            ]
        }
    )

    add: Annotated[list[EntryText], _StopAtFirst()] = Field(default_factory=list)
    remove: Annotated[list[EntryText], _StopAtFirst()] = Field(default_factory=list)
    expires: ExpiryText | None = Field(
        None, description="of what is added: RFC 3339 time, or a duration from now (10m)"
    )


class RulesetBody(Body):
    """PUT /ruleset: exactly this, in one switch."""

    version: Literal[1]
    policy: Policy = Policy()
    flows: Annotated[dict[str, Any], WithJsonSchema(FLOWS)] = Field(
        {}, description="how long flows are remembered"
    )
    sets: dict[IdText, SetBody] | None = Field(
        None,
        description="absent: they stay as they are",
        json_schema_extra={"maxProperties": MAX_SETS, "propertyNames": ID},
    )
    rules: Annotated[
        list[Any],
        WithJsonSchema(
            {
                "type": "array",
                "maxItems": MAX_RULES,
                "items": {
                    "anyOf": [
                        {"$ref": "#/components/schemas/Rule"},
                        {"$ref": "#/components/schemas/RuleText"},
                        SENTENCE,
                    ]
                },
            }
        ),
    ] = Field(description="objects and sentences, in order")
    attachments: list[AttachmentBody] | None = Field(
        None, description="absent: they stay as they are"
    )


class ExplainBody(Body):
    """POST /explain."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["packets"]}, {"required": ["rules"]}]}
    )

    packets: Annotated[
        list[PacketText | GivenFrame],
        Field(min_length=1, max_length=MOST_PACKETS, description="in order"),
    ] = []  # noqa: RUF012  pydantic copies it
    rules: Annotated[
        list[IdText],
        Field(
            min_length=1,
            max_length=MOST_RULES,
            description="behind them, a packet for each of these: one that it decides, or else matches",
        ),
    ] = []  # noqa: RUF012
    ruleset: Annotated[
        dict[str, Any] | None,
        WithJsonSchema({"anyOf": [{"$ref": "#/components/schemas/RulesetBody"}]}),
    ] = Field(None, description="absent: the one in force")


BODIES: list[type[BaseModel]] = [
    Sentence,
    CompletionView,
    Parsed,
    AttachBody,
    TcAttachBody,
    FlowSizeBody,
    MoveBody,
    IdsBody,
    SomeIdsBody,
    SwitchBody,
    AppearedBody,
    BlockBody,
    TokenBody,
    NamesBody,
    CodeBody,
    PendingBody,
    RollbackBody,
    PolicyBody,
    EventSettingsBody,
    SetNameBody,
    SetBody,
    SetEntriesBody,
    RulesetBody,
    ExplainBody,
]
"""The models that OpenAPI describes besides those of xdpwall/views and the rule."""

NULL_MEANS: dict[str, tuple[str, ...]] = {"SomeIdsBody": ("ids",), "SetEntriesBody": ("expires",)}
"""Fields of bodies, by model, that may be null; elsewhere null is refused."""
