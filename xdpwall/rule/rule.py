"""One rule: frozen, validated, canonical. Pure.

Whatever spelling comes in, one comes out: `Rule.parse` takes an object or a sentence, `to_json`
and `text` give the canonical forms, and each reads back to the same rule.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from operator import itemgetter
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, model_validator

from xdpwall.values.inputs import field_label, invalid
from xdpwall.values.rates import rate_json
from xdpwall.values.terms import Direction

from .consistency import canonical_fields
from .field_names import MATCH_FIELDS, RATE_FIELDS, RULE_FIELDS
from .fields import parse_id
from .sentence_read_fast import read_sentence_fast

_N = TypeVar("_N")

_BESIDE_TEXT = ("text", "id", "comment", "enabled", "expires", "log")


class Rule(BaseModel):
    """One rule in canonical form. Absent fields are None and match anything."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    __slots__ = ("_numbers",)

    id: str | None = None
    action: Literal["drop", "accept", "count"]
    iface: str | None = None
    direction: Direction | None = None
    ethertype: str | None = None
    family: Literal["ipv4", "ipv6"] | None = None
    proto: str | int | None = None
    src: str | None = None
    dst: str | None = None
    sport: str | None = None
    dport: str | None = None
    icmp_type: str | int | None = None
    icmp_code: int | None = None
    tcp_flags: str | None = None
    vlan: int | str | None = None
    length: int | str | None = None
    ttl: int | str | None = None
    fragment: bool | Literal["first", "later"] | None = None
    state: str | None = None
    limit: str | None = None
    """`6/m burst 6 per src`: the rule matches while there are tokens. In JSON an object."""
    over: str | None = None
    """The rule matches once there are none."""
    keep: bool = False
    """Packets that pass by it make a flow."""
    cookie: bool = False
    """SYNs are answered at XDP while their listener asks for cookies."""
    expires: str | None = None
    enabled: bool = True
    log: bool = False
    """Each packet that matches makes an event (xdpwall events)."""
    comment: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _canonical(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise invalid("rule", data, "is not a rule", "an object or a sentence")
        return canonical_fields({name: value for name, value in data.items() if value is not None})

    @classmethod
    def parse(cls, obj: object) -> Self:
        """A rule from an object, a sentence, or {"text": sentence, "id": ..., ...}."""
        if isinstance(obj, str):
            return cls._build(_from_sentence(obj))
        if not isinstance(obj, Mapping):
            raise invalid("rule", obj, "is not a rule", "an object or a sentence")
        if "text" in obj:
            return cls._build(_from_text(obj))
        return cls._build(canonical_fields(obj))

    @classmethod
    def _build(cls, fields: dict[str, Any]) -> Self:
        return cls._made(_ABSENT | fields)

    @classmethod
    def _made(cls, fields: dict[str, Any], numbers: object = None) -> Self:
        # The fields are canonical already, and all there: validating once more, or pydantic's
        # model_construct, would double the cost of loading 10,000 rules.
        rule = cls.__new__(cls)
        _set(rule, "__dict__", fields)
        _set(rule, "__pydantic_fields_set__", _GIVEN)
        _set(rule, "__pydantic_extra__", None)
        _set(rule, "__pydantic_private__", None)
        _set(rule, "_numbers", numbers)
        return rule

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(_all(self.__dict__))

    @property
    def text(self) -> str:
        """The canonical sentence."""
        from .sentence_write import write_sentence

        return write_sentence(self)

    def to_json(self) -> dict[str, Any]:
        """The canonical object: what is absent, `enabled: true`, and `keep`, `cookie` and `log` where they
        are false, are left out."""
        found = {name: value for name, value in self.__dict__.items() if value is not None}
        for name in RATE_FIELDS:
            if name in found:
                found[name] = rate_json(found[name])
        if self.enabled:
            del found["enabled"]
        for name in ("keep", "cookie", "log"):
            if not found[name]:
                del found[name]
        return found

    def match_key(self) -> Hashable:
        """A key that is equal for rules with the same match and action: counters may go on."""
        key: Hashable = _matching(self.__dict__)
        return key

    def text_key(self) -> Hashable:
        """A key that is equal for rules that differ in the id alone."""
        key: Hashable = _said(self.__dict__)
        return key

    def numbers(self, read: Callable[[Self], _N]) -> _N:
        """Call `read` with this rule once, and remember its result. For match_of."""
        found: _N | None = getattr(self, "_numbers", None)
        if found is None:
            found = read(self)
            _set(self, "_numbers", found)
        return found

    def with_id(self, rule_id: str) -> Self:
        """The same rule with another id."""
        return self._under(parse_id(rule_id))

    def with_made_id(self, number: int) -> Self:
        """The same rule with the id that the firewall makes of this number."""
        return self._under(f"r{number}")

    def _under(self, rule_id: str) -> Self:
        return self._made({**self.__dict__, "id": rule_id}, getattr(self, "_numbers", None))

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """The rule with some fields changed; None takes one away.

        `text` replaces everything but the id. The id itself stays.
        """
        if not isinstance(changes, Mapping):
            raise invalid("rule", changes, "is not a change", "an object of fields")
        wanted = changes.get("id", self.id)
        if self.id is not None and wanted != self.id:
            raise invalid("id", wanted, f"differs from the rule's id {self.id!r}, which stays")
        if "text" in changes:
            given = {name: value for name, value in changes.items() if value is not None}
            result = self.parse(given)
            return result if self.id is None else result.with_id(self.id)
        fields = self.to_json()
        for name, value in changes.items():
            if value is not None:
                fields[name] = value
            elif name in RULE_FIELDS:
                fields.pop(name, None)
            else:
                canonical_fields({"action": self.action, name: None})
        return self._build(canonical_fields(fields))


_ABSENT = dict.fromkeys(RULE_FIELDS) | {
    "enabled": True,
    "keep": False,
    "cookie": False,
    "log": False,
}
_GIVEN = set(RULE_FIELDS)
"""Common to all: pydantic copies it before it changes it."""
_set = object.__setattr__
_all = itemgetter(*RULE_FIELDS)
_matching = itemgetter(*MATCH_FIELDS)
_said = itemgetter(*(name for name in RULE_FIELDS if name != "id"))


def _from_sentence(sentence: str) -> dict[str, Any]:
    fields = read_sentence_fast(sentence)
    if fields is not None:
        return fields
    from .sentence_read import read_sentence

    return read_sentence(sentence)


def _from_text(obj: Mapping[str, Any]) -> dict[str, Any]:
    for name in obj:
        if name not in _BESIDE_TEXT:
            raise invalid(
                field_label(name),
                obj[name],
                "cannot stand beside text, which says the whole rule",
                "text (with id, comment, enabled, expires, log) or fields",
            )
    sentence = obj["text"]
    if not isinstance(sentence, str):
        raise invalid("text", sentence, "is not a sentence", "text like 'drop icmp on docker0'")
    fields = _from_sentence(sentence)
    for name, value in obj.items():
        if name == "text":
            continue
        if name in fields:
            raise invalid(name, value, "is said by text too", f"{name} in one of the two places")
        fields[name] = value
    return canonical_fields(fields)
