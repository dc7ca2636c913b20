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
