"""Examples of OpenAPI for sets, as examples.py."""

from __future__ import annotations

from typing import Any

SET: dict[str, Any] = {
    "name": "bad",
    "entries": 3,
    "addresses4": 1,
    "prefixes4": 1,
    "addresses6": 0,
    "prefixes6": 1,
    "timed": 1,
    "next_expiry": "2099-01-01T00:00:00Z",
    "created": "2026-11-21T10:00:00Z",
    "rules": ["r1"],
}
SETS = {"sets": [SET]}
SET_ROWS: list[Any] = [
    {"entry": "192.0.2.7", "expires": "2099-01-01T00:00:00Z"},
    {"entry": "198.51.100.0/24"},
    {"entry": "2001:db8:bad::/48"},
]
SET_SHOWN = {"set": SET, "start": 0, "entries": SET_ROWS}
SET_CHANGED = {"revision": 11, "set": {**SET, "rules": []}, "changed": True, "warnings": []}
SET_BODIES: list[Any] = [
    {"entries": ["192.0.2.7", "198.51.100.0/24", "2001:db8:bad::/48"]},
    {"entries": [{"entry": "192.0.2.7", "expires": "1h"}]},
]
SET_ENTRIES: list[Any] = [
    {"add": ["192.0.2.8", "198.51.100.0/24"], "expires": "10m"},
    {"remove": ["192.0.2.8"]},
]
SET_ENTRIES_CHANGED = {
    "name": "bad",
    "added": 2,
    "removed": 0,
    "unchanged": 0,
    "entries": 5,
    "warnings": [],
}
SET_TESTED = {
    "name": "bad",
    "address": "198.51.100.9",
    "found": True,
    "by": ["198.51.100.0/24"],
}
SET_DELETED = {"revision": 12, "deleted": ["bad"]}
