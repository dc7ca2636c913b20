"""What people type as a command and what it is called here. Tables; imported for an error alone."""

from __future__ import annotations

from collections.abc import Iterable

from xdpwall.values.inputs import did_you_mean

_ADD = "rules are added by: xdpwall rule add drop icmp on docker0"
_DELETE = "a rule is deleted by: xdpwall rule delete ID"
_POLICY = "a policy is set by: xdpwall policy set ingress drop"
_FLOWS = "which flows is said by options: --proto tcp, --port 443, --from 10.0.0.0/8; how many by --limit 20"
_HINTS: dict[str, dict[str, str]] = {
    "xdpwall": {
        **dict.fromkeys(("list", "ls", "rules", "show"), "rules are listed by: xdpwall rule list"),
        **dict.fromkeys(("add", "drop", "accept", "allow", "deny", "count", "insert"), _ADD),
        **dict.fromkeys(("delete", "del", "remove"), _DELETE),
        **dict.fromkeys(
            ("stop", "disable"),
            "xdpwall off lets everything pass; xdpwall detach --all takes it off",
        ),
        **dict.fromkeys(
            ("start", "enable", "up"),
            "xdpwall attach IFACE begins to filter; xdpwall on ends an off",
        ),
        **dict.fromkeys(
            ("reload", "restart", "commit"),
            "a change is in force when its command returns; a file: xdpwall apply FILE",
        ),
        **dict.fromkeys(
            ("load", "import"), "a ruleset file is put in force by: xdpwall apply FILE"
        ),
        **dict.fromkeys(
            ("save", "backup", "dump"), "xdpwall export writes the ruleset; it is kept by itself"
        ),
        **dict.fromkeys(("flush", "clear", "reset"), "xdpwall rule flush deletes every rule"),
        **dict.fromkeys(("log", "logs", "monitor"), "packets are told by: xdpwall events"),
        **dict.fromkeys(("stats", "counters", "info"), "xdpwall status, and xdpwall rule list"),
        **dict.fromkeys(
            ("conntrack", "connections", "states"), "they are listed by: xdpwall flows"
        ),
        **dict.fromkeys(("undo", "revert"), "the last change is taken back by: xdpwall rollback"),
        **dict.fromkeys(("ui", "web", "gui"), "xdpwall serve, and xdpwall page for its address"),
    },
    "xdpwall rule": {
        **dict.fromkeys(("del", "remove", "drop"), _DELETE),
        **dict.fromkeys(
            ("insert", "append"), "a place is said by --at: xdpwall rule add --at 1 drop icmp"
        ),
        **dict.fromkeys(
            ("edit", "change", "update", "replace"), "a rule is changed by: xdpwall rule set ID"
        ),
        "reset": "counters begin anew by: xdpwall rule reset-counters",
        "clear": "every rule is deleted by: xdpwall rule flush",
    },
    "xdpwall policy": dict.fromkeys(
        ("ingress", "egress", "drop", "accept", "input", "output"), _POLICY
    ),
}
_ANY_WORD = {"xdpwall flows": _FLOWS}
"""Groups that are commands by themselves: whatever else stands there was meant as an option."""


def command_hint(group: str, word: str, known: Iterable[str]) -> str | None:
    """The hint for a word that is no command of the group, whose own words are `known`."""
    return (
        _HINTS.get(group, {}).get(word.lower()) or did_you_mean(word, known) or _ANY_WORD.get(group)
    )
