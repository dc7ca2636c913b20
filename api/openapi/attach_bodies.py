"""Models of the bodies about attachments, for OpenAPI and for parsing."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from xdpwall.api.body_checks import Body
from xdpwall.api.openapi.words import IfaceText
from xdpwall.values.terms import Direction, Hook, WantedMode

_IF_PRESENT = "the interface need not exist yet"
_HOLD = "the service puts the program back when somebody takes it off; wanted until it is detached"


_REPLACES_ONE = ConfigDict(
    json_schema_extra={
        "not": {
            "properties": {"replace": {"const": True}},
            "required": ["replace"],
            "anyOf": [
                {"properties": {name: {"const": True}}, "required": [name]}
                for name in ("if_present", "hold")
            ],
        }
    }
)
"""Another owner's program is displaced on one interface, not wherever one matches."""


class AttachBody(Body):
    """PUT .../attachments/{place}."""

    model_config = _REPLACES_ONE

    mode: WantedMode = Field("auto", description="xdp only")
    replace: bool = Field(False, description="displace another owner's program")
    if_present: bool = Field(False, description=_IF_PRESENT)
    hold: bool = Field(False, description=_HOLD)


class AttachmentBody(Body):
    """One attachment of a ruleset; a mode is xdp's, and so is no direction but ingress."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {"hook": {"const": "xdp"}, "direction": {"const": "ingress"}}},
                {
                    "properties": {"hook": {"const": "tc"}, "mode": {"const": "auto"}},
                    "required": ["hook"],
                },
            ]
        }
    )

    iface: IfaceText
    hook: Hook = "xdp"
    direction: Direction = "ingress"
    mode: WantedMode = "auto"
    if_present: bool = Field(False, description=_IF_PRESENT)
    hold: bool = Field(False, description=_HOLD)


class TcAttachBody(Body):
    """PUT .../attachments/tc-ingress and tc-egress."""

    model_config = _REPLACES_ONE

    mode: Literal["auto"] = "auto"
    replace: bool = Field(False, description="displace another owner's program")
    if_present: bool = Field(False, description=_IF_PRESENT)
    hold: bool = Field(False, description=_HOLD)
