"""Changes of the event settings: checked, merged, and in words for the audit trail. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xdpwall.errors import InvalidInput
from xdpwall.values.inputs import did_you_mean, field_label, parse_boolean, parse_number
from xdpwall.views.events import EventSettings

LIMITS = {"sample": (1, 10_000), "rate": (1, 1_000_000), "bytes": (0, 256)}
FIELDS = tuple(EventSettings.model_fields)


def merge_settings(old: EventSettings, changes: Mapping[str, Any]) -> EventSettings:
    """The settings with the named ones changed. InvalidInput names the first that is wrong."""
    wanted = {}
    for name, value in changes.items():
        if name not in FIELDS:
            shown = field_label(name)
            raise InvalidInput(
                f"{shown}: events have no such setting; known: {', '.join(FIELDS)}",
                field=shown,
                code="unknown-field",
                hint=did_you_mean(shown, FIELDS),
            )
        if name in LIMITS:
            low, high = LIMITS[name]
            wanted[name] = parse_number(name, value, low, high, f"{low} to {high:,}")
        else:
            wanted[name] = parse_boolean(name, value)
    return old.model_copy(update=wanted)


def describe_settings(wanted: EventSettings, changes: Mapping[str, Any]) -> str:
    """Write a change as the audit trail has it: `log_drops on, rate 1000`."""
    said = {True: "on", False: "off"}
    values = {name: getattr(wanted, name) for name in changes}
    return ", ".join(
        f"{name} {said[value] if isinstance(value, bool) else value}"
        for name, value in values.items()
    )
