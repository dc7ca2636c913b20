"""Examples of OpenAPI; the tests send each body and hold each answer against its model."""

from __future__ import annotations

import json
from typing import Any

BLOCK_PING: dict[str, Any] = {"action": "drop", "iface": "docker0", "proto": "icmp"}
BLOCK_SSH: dict[str, Any] = {"text": "drop tcp/22 from not 10.0.0.0/8 on eth0 in"}
PLACED: dict[str, Any] = {
    "id": "web",
    "action": "accept",
    "proto": "tcp",
    "dport": "80,443",
    "position": 1,
    "comment": "the web server",
}
RULE: dict[str, Any] = {
    "id": "r1",
    **BLOCK_PING,
    "enabled": True,
    "log": False,
    "text": "drop icmp on docker0",
    "position": 1,
    "packets": 12,
    "bytes": 1176,
    "created": "2026-11-21T10:00:00Z",
    "expired": False,
}
RULES = {"revision": 7, "rules": [RULE]}
RULES_CHANGED = {**RULES, "warnings": []}
RULE_CHANGED = {**RULE, "warnings": [], "revision": 7}
PARSED = {"rule": BLOCK_PING, "text": "drop icmp on docker0", "warnings": []}
DELETED = {"revision": 8, "deleted": ["r1"]}
POLICY = {
    "ingress": "accept",
    "egress": "accept",
    "non_ip": "accept",
    "neighbor_discovery": "accept",
}
POLICY_CHANGED = {
    "revision": 9,
    "dry_run": False,
    "policy": {**POLICY, "ingress": "drop"},
    "missing_rules": ["accept udp/4789 in"],
    "missing_policy": {},
    "added_rules": [],
    "warnings": [
        "no rule accepts what comes to UDP port 4789: xdpwall rule add accept udp/4789 in",
    ],
}
SWITCHED = {"on": False, "changed": True, "warnings": []}
SEEN = {"packets": 120, "bytes": 11760}
NONE = {"packets": 0, "bytes": 0}
TOTALS = {
    "seen": SEEN,
    "passed": {"packets": 108, "bytes": 10584},
    "dropped": {"packets": 12, "bytes": 1176},
    "policy_dropped": NONE,
    "malformed": NONE,
    "errors": NONE,
}
ATTACHMENT: dict[str, Any] = {
    "iface": "docker0",
    "index": 4,
    "hook": "xdp",
    "direction": "ingress",
    "place": "xdp",
    "wanted_mode": "auto",
    "mode": "generic",
    "program_id": 61,
    "number": 0,
    "since": "2026-11-21T10:00:00Z",
    "state": "attached",
    "sees": ["from containers"],
    "blind": ["to containers: tc egress sees it"],
    "totals": TOTALS,
}
ATTACHED = {"attachment": ATTACHMENT, "changed": True, "warnings": []}
DETACHED = {"detached": ["docker0 xdp"], "warnings": []}
INTERFACES = {
    "interfaces": [
        {
            "name": "docker0",
            "index": 4,
            "state": "up",
            "kind": "bridge",
            "driver": "bridge",
            "link_type": "ether",
            "mtu": 1500,
            "address": "02:42:5e:11:a0:01",
            "attachments": [ATTACHMENT],
            "others": [],
            "attachable": True,
            "suggestions": ["tc egress on docker0 sees what goes to the containers"],
        }
    ]
}
STATS = {
    "revision": 7,
    "on": True,
    "time": 5120.25,
    "rules": [{"id": "r1", "packets": 12, "bytes": 1176}],
    "attachments": [{"iface": "docker0", "place": "xdp", "totals": TOTALS}],
}
STATUS = {
    "version": "0.1.0",
    "host": "gate",
    "revision": 7,
    "on": True,
    "rules": 1,
    "enabled_rules": 1,
    "policy": POLICY,
    "attachments": [ATTACHMENT],
    "others": [],
    "warnings": [],
    "state_dir": "/var/lib/xdpwall",
    "bpffs": "/sys/fs/bpf/xdpwall",
    "netns": 4026531840,
    "service": True,
}
HEALTH = {
    "status": "ok",
    "version": "0.1.0",
    "revision": 7,
    "state_dir_id": "5f1c0b7a92d3e864",
    "netns": 4026531840,
    "problems": [],
}
RULESET = {
    "version": 1,
    "policy": POLICY,
    "rules": [{"id": "noping", **BLOCK_PING}, "accept tcp/80,443"],
    "attachments": [{"iface": "docker0", "hook": "xdp", "direction": "ingress", "mode": "auto"}],
}
CONFIRMED = {"revision": 10, "confirmed": True}
BLOCK = {"target": "203.0.113.0/24", "rule": "blocked", "expires": "2026-11-21T10:10:00Z"}
BLOCKS = {"blocks": [BLOCK], "total": 1}
BLOCKED = {"block": BLOCK, "changed": True, "warnings": []}
CHECKED = {
    "rules": 2,
    "findings": [
        {
            "kind": "shadowed",
            "rule": {"position": 2, "id": "r2", "text": "accept tcp/22 from 10.0.0.1"},
            "because": [{"position": 1, "id": "r1", "text": "drop from 10.0.0.0/8"}],
            "more": 0,
            "message": "never decides: r1 (drop from 10.0.0.0/8) decides first",
            "packet": "tcp/22 from 10.0.0.1 sport 40000 to 198.51.100.1 in flags syn ttl 64",
        }
    ],
    "undecided": [],
}
EXPLAIN = {"packets": ["tcp/22 from 10.0.0.2 on docker0"]}
EXPLAINED = {
    "revision": 9,
    "packets": [
        {
            "packet": "tcp/22 from 10.0.0.2 sport 40000 to 192.0.2.2 on docker0 in flags syn ttl 64",
            "bytes": 54,
            "iface": "docker0",
            "direction": "ingress",
            "assumed": ["direction", "dst", "sport", "tcp_flags", "ttl"],
            "verdict": "pass",
            "hooks": [
                {
                    "place": "xdp",
                    "attached": True,
                    "verdict": "pass",
                    "by": "policy",
                    "policy": "ingress accept",
                    "counted": [],
                    "expired": [],
                    "near": [
                        {
                            "rule": {
                                "position": 1,
                                "id": "web",
                                "text": "drop tcp/80 on docker0",
                            },
                            "differs": [{"field": "dport", "packet": "22", "rule": "80"}],
                        }
                    ],
                    "unreadable": [],
                    "notes": [],
                }
            ],
            "notes": [],
        }
    ],
}
APPLIED = {
    "revision": 10,
    "dry_run": False,
    "added": ["noping"],
    "removed": [],
    "changed": [],
    "moved": [],
    "kept": 1,
    "policy_changed": False,
    "missing_rules": [],
    "missing_policy": {},
    "attached": ["docker0 xdp"],
    "detached": [],
    "warnings": [],
}
RESTORED = {
    "revision": 7,
    "rules": 1,
    "attached": ["docker0 xdp"],
    "already": [],
    "failed": [],
    "waiting": ["ppp0 xdp"],
    "warnings": [],
}
APPEARED = {**RESTORED, "attached": ["eth1 xdp"], "waiting": []}
REPAIRED = {
    "repaired": True,
    "revision": 7,
    "rules": 1,
    "kept": "/var/lib/xdpwall/xdpwall.db.damaged",
    "warnings": [],
}
PROBLEM = {
    "type": "urn:xdpwall:invalid",
    "title": "A value is wrong",
    "status": 422,
    "detail": "src: '10.0.0.1/8' has bits set behind its prefix",
    "code": "invalid",
    "field": "src",
    "value": "10.0.0.1/8",
    "hint": "10.0.0.0/8 or 10.0.0.1",
}
COUNTERS = {
    "revision": 7,
    "time": 5120.25,
    "rules": [
        {"id": "r1", "packets": 12, "bytes": 1176, "last_hit": "2026-11-21T10:05:07Z"},
    ],
    "attachments": [{"iface": "docker0", "place": "xdp", "totals": TOTALS}],
    "policy_dropped": NONE,
}
EVENTS_SNAPSHOT = {
    "status": STATUS,
    "rules": [RULE],
    "interfaces": INTERFACES["interfaces"],
    "counters": {**COUNTERS, "rules": []},
}
CHANGE = {
    "time": "2026-11-21T10:05:09Z",
    "author": "uid 0",
    "via": "cli",
    "action": "delete r1",
    "revision": 8,
}
EVENT_SETTINGS = {
    "settings": {"enabled": True, "log_drops": True, "sample": 1, "rate": 1000, "bytes": 128},
    "counts": {"sent": 5120, "lost": 0, "sampled": 0, "limited": 84213},
    "reader": "the service (process 812)",
}
EVENT_SETTINGS_CHANGED = {**EVENT_SETTINGS, "changed": True}
PACKET = {
    "n": 5120,
    "time": "2026-11-21T10:05:08.204117Z",
    "iface": "docker0",
    "place": "xdp",
    "direction": "ingress",
    "verdict": "drop",
    "rule": "r1",
    "log": "r1",
    "revision": 7,
    "packets": 1,
    "bytes": 98,
    "length": 84,
    "src_mac": "02:42:ac:11:00:02",
    "dst_mac": "02:42:6e:5b:aa:01",
    "ethertype": "0x0800",
    "family": "ipv4",
    "proto": "icmp",
    "src": "172.17.0.2",
    "dst": "172.17.0.1",
    "icmp_type": "echo-request",
    "icmp_code": 0,
    "ttl": 64,
    "malformed": False,
    "stripped": False,
}
EVENTS_OF = {
    "snapshot": EVENTS_SNAPSHOT,
    "counters": COUNTERS,
    "rules": {
        "revision": 8,
        "added": [],
        "removed": ["r1"],
        "changed": [],
        "moved": [],
        "rules": [],
        "by": [CHANGE],
    },
    "packets": {"events": [PACKET], "missed": 0},
    "end": {"reason": "stopping", "detail": "the service stops; filtering goes on"},
}
EVENTS = "".join(
    f"id: 4be1c07a-{number}\nevent: {name}\ndata: {json.dumps(data)}\n\n"
    for number, (name, data) in enumerate(EVENTS_OF.items(), 41)
)
