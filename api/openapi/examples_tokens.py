"""Examples about tokens."""

from __future__ import annotations

from typing import Any

TOKEN: dict[str, Any] = {
    "name": "grafana",
    "role": "metrics",
    "kind": "token",
    "created": "2026-11-21T10:00:00Z",
    "expires": "2027-02-19T10:00:00Z",
    "expired": False,
    "from": ["10.0.0.0/8"],
    "last_used": "2026-11-21T10:05:00Z",
    "last_from": "10.0.0.7",
}
TOKENS = {"tokens": [TOKEN]}
TOKEN_MADE = {"token": TOKEN, "secret": "xdpwall_EXAMPLE-EXAMPLE-EXAMPLE-EXAMPLE-EXAMPLE-EX"}
TOKENS_REVOKED = {"revoked": ["grafana"]}
TOKEN_BODIES: tuple[dict[str, Any], ...] = (
    {"name": "grafana", "role": "metrics", "expires": "90d", "from": ["10.0.0.0/8"]},
    {"name": "deploy", "role": "operator"},
)
SESSION = {"name": "token deploy", "via": "tcp", "role": "operator"}
PAGE_CODE = {
    "url": "http://127.0.0.1:8480/#code=EXAMPLE-EXAMPLE-EXAMPL",
    "code": "EXAMPLE-EXAMPLE-EXAMPL",
    "seconds": 60,
    "role": "admin",
}
SESSION_OPENED = {
    "token": {
        "name": "page-1",
        "role": "admin",
        "kind": "page",
        "owner": "uid 0",
        "created": "2026-11-21T10:00:00Z",
        "expires": "2026-11-21T22:00:00Z",
        "expired": False,
        "from": [],
    },
    "secret": "xdpwall_EXAMPLE-EXAMPLE-EXAMPLE-EXAMPLE-EXAMPLE-EX",
}
