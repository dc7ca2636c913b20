"""State, flows, rates and answers in a rule, by every way in which a rule is given: each reads back the same."""

from __future__ import annotations

import json
from typing import Any

from tests.cli.support import Instance

RATE = {"rate": "6/m", "burst": 6, "per": "src"}
CASES: dict[str, tuple[str, list[str], dict[str, Any]]] = {
    "limit": (
        "accept udp/53 limit 20/s burst 40",
        ["accept", "--proto", "udp", "--dport", "53", "--limit", "20/s burst 40"],
        {"action": "accept", "proto": "udp", "dport": "53", "limit": {"rate": "20/s", "burst": 40}},
    ),
    "over": (
        "drop tcp/22 flags syn/syn,ack over 6/m burst 6 per src",
        ["drop", "--proto", "tcp", "--dport", "22", "--tcp-flags", "syn/syn,ack",
         "--over", "6/m burst 6 per src"],
        {"action": "drop", "proto": "tcp", "dport": "22", "tcp_flags": "syn/syn,ack", "over": RATE},
    ),
    "bytes": (
        "drop udp ipv4 over 1MB/s burst 64kB per src/24",
        ["drop", "--proto", "udp", "--family", "ipv4", "--over", "1MB/s burst 64kB per src/24"],
        {"action": "drop", "proto": "udp", "family": "ipv4",
         "over": {"rate": "1MB/s", "burst": "64kB", "per": "src/24"}},
    ),
    "state": (
        "accept state established,related",
        ["accept", "--state", "related,established"],
        {"action": "accept", "state": ["established", "related"]},
    ),
    "not": (
        "drop state not new",
        ["drop", "--state", "!new"],
        {"action": "drop", "state": "!new"},
    ),
    "keep": (
        "accept tcp/22 state new keep",
        ["accept", "--proto", "tcp", "--dport", "22", "--state", "new", "--keep"],
        {"action": "accept", "proto": "tcp", "dport": "22", "state": "new", "keep": True},
    ),
    "cookie": (
        "accept tcp/443 keep cookie",
        ["accept", "--proto", "tcp", "--dport", "443", "--keep", "--cookie"],
        {"action": "accept", "proto": "tcp", "dport": 443, "keep": True, "cookie": True},
    ),
}  # fmt: skip


def test_every_way_says_the_same(direct: Instance) -> None:
    """As a sentence and by options; in files of YAML and JSON, as objects and as sentences; and exported."""
    for sentence, options, fields in CASES.values():
        direct.done("rule", "add", *sentence.split())
        wanted = rule(direct)
        assert wanted["text"] == sentence
        exported = {flag: direct.here("export", *flag.split()).stdout for flag in ("", "--json")}
        direct.done("rule", "flush", "-y")
        direct.done("rule", "add", *options)
        assert same(rule(direct), wanted), options
        files = [
            json.dumps({"version": 1, "rules": [fields]}),
            f"version: 1\nrules:\n  - {sentence}\n",
            yaml_of(fields),
            *exported.values(),
        ]
        for text in files:
            direct.done("rule", "flush", "-y")
            direct.done("apply", "-", stdin=text)
            assert same(rule(direct), wanted), text
        direct.done("rule", "flush", "-y")


def test_rest_says_the_same(served: Instance) -> None:
    """As an object and as a sentence; changed field by field; and parsed for who types it."""
    assert served.service is not None
    call = served.service.call
    for sentence, _, fields in CASES.values():
        made, written = (call("POST", "/rules", body).json for body in (fields, {"text": sentence}))
        assert made["text"] == written["text"] == sentence
        bare = call("POST", "/rules", {"action": fields["action"]}).json
        patched = call("PATCH", f"/rules/{bare['id']}", fields)
        assert patched.status == 200 and patched.json["text"] == sentence
        assert call("POST", "/rules/parse", {"text": sentence}).json["text"] == sentence


def yaml_of(fields: dict[str, Any]) -> str:
    """A rule as people write it: a rate as its words, a list in brackets."""
    lines = []
    for name, value in fields.items():
        if isinstance(value, dict):
            value = " ".join(
                [
                    value["rate"],
                    "burst",
                    str(value["burst"]),
                    *(["per", value["per"]] if "per" in value else []),
                ]
            )
        lines.append(f"    {name}: {json.dumps(value)}")
    return "version: 1\nrules:\n  -\n" + "\n".join(lines) + "\n"


def rule(instance: Instance) -> dict[str, Any]:
    (found,) = instance.json("rule", "list")["rules"]
    return dict(found)


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """But for what belongs to one entry."""
    own = ("id", "created", "position", "packets", "bytes", "last_hit")
    return all(
        one.get(key) == other.get(key) for key in one.keys() | other.keys() if key not in own
    )
