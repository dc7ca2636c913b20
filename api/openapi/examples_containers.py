"""Examples of containers in the API's description."""

from __future__ import annotations

from typing import Any

CONTAINERS: dict[str, Any] = {
    "engine": "/run/docker.sock",
    "complete": True,
    "taken": "2026-12-01T10:00:00Z",
    "problems": [],
    "containers": [
        {
            "container": {
                "id": "4f" * 32,
                "name": "web",
                "image": "nginx:1",
                "process": 4711,
                "networks": [{"name": "bridge", "address": "172.17.0.2"}],
                "published": [
                    {"address": "0.0.0.0", "port": 8080, "protocol": "tcp", "target": 80}
                ],
                "labels": {"com.example.tier": "front"},
            },
            "ports": [{"iface": "veth3f2a", "index": 9, "bridge": "docker0", "network": "bridge"}],
        }
    ],
    "networks": [{"id": "a0" * 32, "name": "bridge", "driver": "bridge", "bridge": "docker0"}],
}
PUBLISHED: dict[str, Any] = {
    "engine": "/run/docker.sock",
    "complete": True,
    "problems": [],
    "ports": [
        {
            "container": "web",
            "port": {"address": "0.0.0.0", "port": 8080, "protocol": "tcp", "target": 80},
            "iface": "eth0",
            "verdict": "in part",
            "rules": [
                {"position": 1, "id": "r1", "text": "accept tcp/8080 from 198.51.100.7 on eth0 in"},
                {"position": 2, "id": "published", "text": "drop tcp/8080 on eth0 in"},
            ],
            "policy": False,
        },
        {
            "container": "web",
            "port": {"address": "0.0.0.0", "port": 8080, "protocol": "tcp", "target": 80},
            "iface": "eth1",
            "verdict": "not filtered",
            "rules": [],
            "policy": False,
            "cure": "xdpwall attach eth1",
        },
    ],
}
