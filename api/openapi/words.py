"""The values that bodies and parameters may hold, as JSON Schema: as strict as the parsers, and no stricter.

A `format` names a part of the grammar for which JSON Schema has no words; docs/reference/api.md says
what each means.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import WithJsonSchema

from xdpwall.limits import MAX_RULES
from xdpwall.rule.field_names import RATE_FIELDS
from xdpwall.rule.rule import Rule
from xdpwall.rule.states import STATES
from xdpwall.ruleset.flow_timeouts import MOST_SECONDS, FlowTimeouts
from xdpwall.views.flows import FLOW_STATES, MOST_LISTED

Schema = dict[str, Any]

ID: Schema = {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,31}$"}
LINE: Schema = {
    "type": "string",
    "maxLength": 256,
    "pattern": r"^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]*$",
}
"""One line of text that reads as it looks."""
IFACE: Schema = {"type": "string", "format": "interface", "minLength": 1, "maxLength": 15}
SENTENCE: Schema = {"type": "string", "format": "sentence", "minLength": 1}
PACKET: Schema = {"type": "string", "format": "packet", "minLength": 1}
ENTRY: Schema = {"type": "string", "format": "entry", "minLength": 1}
EXPIRY: Schema = {"type": "string", "format": "expiry", "minLength": 1}
POSITION: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_RULES}
PERCENT: Schema = {"type": "integer", "minimum": 0, "maximum": 100}

IdText = Annotated[str, WithJsonSchema(ID)]
IfaceText = Annotated[str, WithJsonSchema(IFACE)]
PacketText = Annotated[str, WithJsonSchema(PACKET)]
EntryText = Annotated[str, WithJsonSchema(ENTRY)]
ExpiryText = Annotated[str, WithJsonSchema(EXPIRY)]
MESSAGE: Schema = {"anyOf": [LINE]}

_TIMEOUT: Schema = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": MOST_SECONDS},
        {"type": "string", "format": "timeout", "minLength": 1},
    ]
}
FLOWS: Schema = {
    "type": "object",
    "properties": {
        "timeouts": {
            "type": "object",
            "properties": dict.fromkeys(FlowTimeouts.model_fields, _TIMEOUT),
            "additionalProperties": False,
        }
    },
    "additionalProperties": False,
}
"""The section `flows` of a ruleset."""
_NETWORK: Schema = {"type": "string", "format": "network", "minLength": 1}
FLOW_PARAMETERS: dict[str, Schema] = {
    "proto": {"type": "string", "format": "proto", "minLength": 1},
    "from": _NETWORK,
    "to": _NETWORK,
    "port": {"type": "integer", "minimum": 0, "maximum": 65535},
    "state": {"enum": [*FLOW_STATES]},
    "rule": ID,
    "limit": {"type": "integer", "minimum": 0, "maximum": MOST_LISTED},
    "top": {"type": "boolean"},
}

_COUNT_OF_TOKENS: Schema = {
    "anyOf": [
        {"type": "integer", "minimum": 1},
        {"type": "string", "format": "burst", "minLength": 1},
    ]
}
RATE: Schema = {
    "type": "object",
    "properties": {
        "rate": {"type": "string", "format": "tempo", "minLength": 1},
        "burst": _COUNT_OF_TOKENS,
        "per": {"type": "string", "pattern": "^src(/([1-9]|[1-5][0-9]|6[0-4]))?$"},
    },
    "required": ["rate"],
    "additionalProperties": False,
}
"""`limit` and `over` of a rule."""

_NUMBER_OR_TEXT: dict[str, tuple[int, int]] = {
    "proto": (0, 255),
    "sport": (0, 65535),
    "dport": (0, 65535),
    "icmp_type": (0, 255),
    "icmp_code": (0, 255),
    "vlan": (0, 4095),
    "length": (0, 65575),
    "ttl": (0, 255),
    "ethertype": (0x0600, 0xFFFF),
}
FIELD_NOTES = {
    "id": "made when absent",
    "iface": "an interface's name, several by * in it (veth*), a bridge's or bond's ports (ports:docker0), or, "
    "with ! in front of these, every other one; a container's ports (container:web), or the bridge and ports of "
    "an engine's network (network:backend)",
    "ethertype": "arp, any, or 0x0600 to 0xffff; ipv4 and ipv6 are said by family",
    "proto": "a name (tcp, icmp, ...) or 0 to 255",
    "src": "an address, a prefix or @set, with ! in front every other one; or a container's addresses "
    "(container:web)",
    "dst": "as src",
    "sport": "a port, a range or a list: 80,443,8000-8100, also by name: ssh; ! in front: every other",
    "dport": "as sport",
    "icmp_type": "a name (echo-request) or 0 to 255",
    "icmp_code": "a name or 0 to 255",
    "tcp_flags": "WANT/MASK: syn/syn,ack",
    "vlan": "0 to 4095, none, or either with ! in front",
    "length": "the IP packet's bytes: a number or a range",
    "ttl": "TTL or hop limit: a number or a range",
    "fragment": "true, false, first or later",
    "state": "new, established, related, invalid or untracked, or a list of them, as text with commas or "
    "as an array; with ! in front every other one",
    "keep": "packets that pass by this accept rule make a flow",
    "cookie": "SYNs that this accept rule lets in are answered at XDP while their listener asks for cookies",
    "limit": "the rule matches while its rate lasts: an object, or text like 6/m burst 6 per src",
    "over": "the rule matches beyond its rate; as limit, and not beside it",
    "expires": "RFC 3339 time, or a duration from now (10m)",
    "log": "each packet that matches makes an event",
    "comment": "up to 256 characters",
}
_TEXTS = {
    "iface": {"type": "string", "format": "interface-match", "minLength": 1, "maxLength": 138},
    "src": {"type": "string", "format": "address-match", "minLength": 1},
    "dst": {"type": "string", "format": "address-match", "minLength": 1},
    "tcp_flags": {"type": "string", "format": "tcp-flags", "minLength": 1},
    "id": ID,
    "expires": EXPIRY,
    "comment": LINE,
}

_BESIDE = {
    name: {**ID, "description": f"the id of the rule {side} which it goes; POST only"}
    for name, side in (("before", "in front of"), ("after", "behind"))
}
_TWO_PLACES: Schema = {
    "anyOf": [
        {"required": ["position", "before"], "properties": {"position": {"type": "integer"}}},
        {"required": ["position", "after"], "properties": {"position": {"type": "integer"}}},
        {"required": ["before", "after"]},
    ]
}
"""Two answers to where a rule goes."""


def rule_schema() -> Schema:
    """The schema of a rule as POST and PUT take it."""
    schema = without_null(Rule.model_json_schema())
    fields = schema["properties"]
    for name, text in _TEXTS.items():
        fields[name] = dict(text)
    for name, (low, high) in _NUMBER_OR_TEXT.items():
        number = {"type": "integer", "minimum": low, "maximum": high}
        fields[name] = {"anyOf": [number, {"type": "string", "format": name, "minLength": 1}]}
    state = {"type": "string", "format": "state", "minLength": 1}
    names = {"type": "array", "items": {"enum": [*STATES]}, "minItems": 1}
    fields["state"] = {"anyOf": [state, names]}
    for name in RATE_FIELDS:
        fields[name] = {"anyOf": [RATE, {"type": "string", "format": "rate", "minLength": 1}]}
    fields["fragment"] = {"enum": [True, False, "first", "later"]}
    for name, note in FIELD_NOTES.items():
        fields[name]["description"] = note
    fields["position"] = {
        "anyOf": [POSITION, {"type": "null"}],
        "description": "its place from 1; POST only, absent appends",
    }
    fields |= _BESIDE
    schema["not"] = _TWO_PLACES
    schema["description"] = (
        "A rule. Ports need a protocol that has them, and so on: what fields demand of each other is "
        "answered by 422 with the field. Numbers may be given as numbers or strings."
    )
    return schema


def rule_text_schema() -> Schema:
    """The schema of a rule as a sentence."""
    fields = {name: dict(_TEXTS[name]) for name in ("id", "comment", "expires")}
    fields |= {name: {"type": "boolean"} for name in ("enabled", "log")}
    position = rule_schema()["properties"]["position"]
    return {
        "title": "RuleText",
        "description": "A rule as a sentence.",
        "type": "object",
        "properties": {"text": SENTENCE, **fields, "position": position, **_BESIDE},
        "required": ["text"],
        "not": _TWO_PLACES,
        "additionalProperties": False,
    }


def change_schema() -> Schema:
    """The schema of PATCH: any fields of a rule, null takes one away; or a sentence."""
    schema = rule_schema()
    fields = schema["properties"]
    del schema["not"]
    for name in ("id", "position", "before", "after", "action"):
        del fields[name]
    for name, field in fields.items():
        note = {"description": field.pop("description")} if "description" in field else {}
        fields[name] = {"anyOf": [field, {"type": "null"}], **note}
    fields["action"] = rule_schema()["properties"]["action"]
    fields["text"] = {**SENTENCE, "description": "replaces all"}
    del schema["required"]
    schema["title"] = "RuleChange"
    schema["minProperties"] = 1
    schema["description"] = "The fields to change; null takes one away."
    return schema


def without_null(schema: Schema, keep: tuple[str, ...] = ()) -> Schema:
    """The schema of an object without `null` as a value of its own fields, but for those of `keep`.
    Python's None is a field that is absent."""
    fields = {}
    for name, field in schema.get("properties", {}).items():
        options = [one for one in field.get("anyOf", ()) if one != {"type": "null"}]
        if name not in keep and options and len(options) < len(field["anyOf"]):
            rest = {key: value for key, value in field.items() if key != "anyOf"}
            if rest.get("default", "") is None:
                del rest["default"]
            field = {**(options[0] if len(options) == 1 else {"anyOf": options}), **rest}
        fields[name] = field
    return {**schema, "properties": fields} if fields else schema
