"""Models of request bodies, for OpenAPI and for parsing. A rule's own fields are parsed by Rule."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, FailFast, Field, WithJsonSchema

from xdpwall.api.body_checks import Body
from xdpwall.api.errors import Problem
from xdpwall.rule.rule import Rule
from xdpwall.rule.sentence_complete import CompletionKind
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Direction, Hook, Verdict, WantedMode
from xdpwall.views.base import View


class _StopAtFirst(FailFast):
    """An error is made for the first wrong item, not for each of a million."""

    def __hash__(self) -> int:
        return 0


Texts = Annotated[list[str], _StopAtFirst()]

FIELD_NOTES = {
    "id": "[a-z0-9][a-z0-9_-]{0,31}; made when absent",
    "iface": "an interface's name, with ! in front every other one",
    "ethertype": "arp, any, or 0x0600 to 0xffff",
    "proto": "a name (tcp, icmp, ...) or 0 to 255",
    "src": "an address, a prefix or @set, with ! in front every other one",
    "dst": "as src",
    "sport": "a port, a range or a list: 80,443,8000-8100, also by name: ssh; ! in front: every other one",
    "dport": "as sport",
    "icmp_type": "a name (echo-request) or 0 to 255",
    "icmp_code": "a name or 0 to 255",
    "tcp_flags": "WANT/MASK: syn/syn,ack",
    "vlan": "0 to 4095, none, or either with ! in front",
    "length": "the IP packet's bytes: a number or a range",
    "ttl": "TTL or hop limit: a number or a range",
    "fragment": "true, false, first or later",
    "expires": "RFC 3339 time, or a duration from now (10m)",
    "log": "each packet that matches makes an event",
    "comment": "up to 256 characters",
}


class RuleText(Body):
    """A rule as a sentence."""

    text: str
    id: str | None = None
    comment: str | None = None
    enabled: bool | None = None
    log: bool | None = None
    expires: str | None = None
    position: int | None = Field(None, description="its place from 1; POST only")


class Sentence(Body):
    """POST /rules/parse."""

    text: str
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
    cuts: list[str] | None = None
    """Whom it would cut off, in words: an open SSH session, the browser that asks."""
    problem: Problem | None = None
    completions: list[CompletionView] | None = None
    """Only when they were asked for."""
    word: tuple[int, int] | None = None
    """First and last+1 character of what a completion replaces."""


class AttachBody(Body):
    """PUT .../attachments/{place}."""

    mode: WantedMode = Field("auto", description="xdp only")
    replace: bool = Field(False, description="displace another owner's program")


class MoveBody(Body):
    """POST /rules/{id}/move."""

    position: Annotated[Any, WithJsonSchema({"type": "integer", "minimum": 1})] = Field(
        description="the place after the move, from 1"
    )


class IdsBody(Body):
    """The rules that a change of many is about."""

    ids: Texts


class SomeIdsBody(Body):
    """As IdsBody; absent means all."""

    ids: Texts | None = None


class SwitchBody(Body):
    """PUT /switch."""

    on: bool


class PolicyBody(Body):
    """PUT /policy: the named fields change."""

    ingress: Verdict | None = None
    egress: Verdict | None = None
    non_ip: Verdict | None = None
    neighbor_discovery: str | None = Field(
        None, description="accept or judge; also about multicast listener discovery"
    )


class EventSettingsBody(Body):
    """PUT /events/settings: the named ones change."""

    enabled: bool | None = Field(None, description="false: no packet is reported")
    log_drops: bool | None = Field(None, description="report each drop, not only those of rules")
    sample: int | None = Field(None, description="report one in so many: 1 to 10,000")
    rate: int | None = Field(None, description="a second, of one rule on one CPU: 1 to 1,000,000")
    bytes: int | None = Field(None, description="of each frame: 0 to 256")


class SetNameBody(Body):
    """POST /sets."""

    name: str = Field(description="[a-z0-9][a-z0-9_-]{0,31}")


class TimedEntry(Body):
    """An entry that leaves by itself."""

    entry: str
    expires: str = Field(description="RFC 3339 time, or a duration from now (10m)")


class SetBody(Body):
    """What a set holds: PUT /sets/{name}, and `sets` of a ruleset. `packed` and `entries` add up."""

    entries: list[str | TimedEntry] | None = Field(None, description="addresses and prefixes")
    packed: str | None = Field(None, description="base64, as GET /ruleset answers large sets")
    allow_empty: bool = Field(
        True, description="false: 409 set-emptied where no entry would replace some"
    )
    most_shrink: int | None = Field(
        None, description="percent, 0 to 100: 409 set-shrunk where more of the entries would go"
    )


class SetEntriesBody(Body):
    """POST /sets/{name}/entries."""

    add: Texts = Field(default_factory=list)
    remove: Texts = Field(default_factory=list)
    expires: str | None = Field(
        None, description="of what is added: RFC 3339 time, or a duration from now (10m)"
    )


class AttachmentBody(Body):
    """One attachment of a ruleset."""

    iface: str
    hook: Hook = "xdp"
    direction: Direction = "ingress"
    mode: WantedMode = "auto"


class RulesetBody(Body):
    """PUT /ruleset: exactly this, in one switch."""

    version: int = Field(1, description="1")
    policy: Policy = Policy()
    sets: dict[str, SetBody] | None = Field(None, description="absent: they stay as they are")
    rules: list[dict[str, Any] | str] = Field(description="objects (Rule) and sentences, in order")
    attachments: list[AttachmentBody] | None = Field(
        None, description="absent: they stay as they are"
    )


BODIES: list[type[BaseModel]] = [
    RuleText,
    Sentence,
    CompletionView,
    Parsed,
    AttachBody,
    MoveBody,
    IdsBody,
    SomeIdsBody,
    SwitchBody,
    PolicyBody,
    EventSettingsBody,
    SetNameBody,
    SetBody,
    SetEntriesBody,
    RulesetBody,
]
"""The models that OpenAPI describes besides those of xdpwall/views and the rule."""


def change_schema() -> dict[str, Any]:
    """The schema of PATCH: any fields of a rule, null takes one away; or a sentence."""
    schema = rule_schema()
    for name in ("id", "position"):
        del schema["properties"][name]
    schema["properties"]["text"] = {"type": "string", "description": "replaces all"}
    del schema["required"]
    schema["title"] = "RuleChange"
    schema["description"] = "The fields to change; null takes one away."
    return schema


def rule_schema() -> dict[str, Any]:
    """The schema of a rule as POST and PUT take it."""
    schema = Rule.model_json_schema()
    for name, note in FIELD_NOTES.items():
        schema["properties"][name]["description"] = note
    schema["properties"]["position"] = {
        "anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}],
        "description": "its place from 1; POST only, absent appends",
    }
    schema["description"] = "A rule. Numbers may be given as numbers or strings."
    return schema
