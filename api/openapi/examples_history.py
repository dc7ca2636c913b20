"""Examples of the history for the OpenAPI document."""

from __future__ import annotations

DIFFERENCE = {
    "same": False,
    "revision": 9,
    "policy": [{"field": "ingress", "old": "accept", "new": "drop"}],
    "rules": [
        {"kind": "context", "id": "r1", "hunk": 1, "old_position": 1, "position": 1, "text": "accept tcp/22"},
        {
            "kind": "changed",
            "id": "r2",
            "hunk": 1,
            "old_position": 2,
            "position": 2,
            "old": "drop tcp/23",
            "text": "drop tcp/23 on docker0",
        },
        {"kind": "added", "id": "noping", "hunk": 1, "position": 3, "text": "drop icmp on docker0"},
    ],
    "sets": [
        {
            "name": "bad",
            "kind": "replaced",
            "old_entries": 2,
            "entries": 2,
            "added": 1,
            "removed": 1,
            "retimed": 0,
            "first_added": ["192.0.2.7"],
            "first_removed": ["192.0.2.1"],
        }
    ],
    "attachments": [{"kind": "added", "attachment": "docker0 xdp", "mode": "auto"}],
}  # fmt: skip
HISTORY = {
    "revisions": [
        {
            "revision": 10,
            "time": "2026-11-21T10:00:00Z",
            "author": "uid 1000",
            "user": "alice",
            "via": "socket",
            "action": "add noping",
            "message": "ticket 4711",
            "in_force": True,
            "unconfirmed": False,
        }
    ],
    "more": True,
    "oldest": 0,
}
AUDIT = {
    "entries": [
        {
            "number": 17,
            "time": "2026-11-21T10:00:00Z",
            "author": "token",
            "via": "tcp",
            "address": "127.0.0.1",
            "action": "off",
        }
    ],
    "more": True,
}
ROLLED_BACK = {
    "revision": 11,
    "cancelled": False,
    "to": 9,
    "changed": True,
    "dry_run": False,
    "diff": {
        "same": False,
        "revision": 10,
        "policy": [],
        "rules": [
            {"kind": "removed", "id": "noping", "hunk": 1, "old_position": 1, "old": "drop icmp on docker0"}
        ],
        "sets": [],
        "attachments": [],
    },
    "warnings": [],
}  # fmt: skip
