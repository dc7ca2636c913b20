"""How long a flow is remembered after its last packet, by what is known of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from xdpwall.values.inputs import invalid, parse_number, refuse_unknown_fields
from xdpwall.values.time_read import parse_duration

MOST_SECONDS = 16_000
"""The kernel's words have 16 bits for a deadline, half of them behind now."""
_WANTED = f"seconds from 1 to {MOST_SECONDS:,}, or a duration like 10m"


class FlowTimeouts(BaseModel):
    """Seconds. Changed ones hold for a flow from its next packet on."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    tcp_new: int = 30
    """Not assured: a SYN, a SYN-ACK. nf_conntrack waits 60 to 120, Calico 20."""
    tcp_one_side: int = 300
    """Picked up in the middle, and only one side seen: nf_conntrack's unacknowledged."""
    tcp: int = 8000
    """Assured: above 7,440 (RFC 5382) and Linux's keepalive, 7,200 + 675."""
    tcp_fin: int = 120
    tcp_fins: int = 30
    tcp_reset: int = 10
    udp: int = 30
    udp_replied: int = 120
    """RFC 4787 asks for 120."""
    icmp: int = 30
    other: int = 600

    def in_order(self) -> list[int]:
        """As enum xw_timeout has them."""
        return [getattr(self, name) for name in FlowTimeouts.model_fields]

    def to_json(self) -> dict[str, int]:
        """The JSON object: those that are not the default."""
        return self.model_dump(exclude_defaults=True)


def parse_flows(obj: object) -> FlowTimeouts:
    """Parse the `flows` section of a ruleset: {timeouts: {udp: 60, tcp: 2h}}; what it leaves out is
    the default."""
    if not isinstance(obj, Mapping):
        raise invalid("flows", obj, "is not a section", "an object like {timeouts: {udp: 60}}")
    refuse_unknown_fields(obj, ("timeouts",), "flows", "flows.")
    timeouts = obj.get("timeouts", {})
    if not isinstance(timeouts, Mapping):
        raise invalid("flows.timeouts", timeouts, "is no object", "an object like {udp: 60}")
    refuse_unknown_fields(timeouts, tuple(FlowTimeouts.model_fields), "timeouts", "flows.timeouts.")
    return FlowTimeouts(
        **{str(name): _seconds(f"flows.timeouts.{name}", value) for name, value in timeouts.items()}
    )


def _seconds(field: str, value: object) -> int:
    if isinstance(value, str) and not value.isdecimal():
        found = parse_duration(field, value)
        if found < 1 or found > MOST_SECONDS:
            raise invalid(field, value, "is out of range", _WANTED)
        return found
    return parse_number(field, value, 1, MOST_SECONDS, _WANTED)
