"""Ruleset files: read, written, and errors that name file, line, rule and field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from xdpwall.errors import InvalidInput
from xdpwall.formats.ruleset_file import MAX_BYTES, dump_ruleset, load_ruleset
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.sets.content import SetContent

YAML = """\
%YAML 1.2
---
# a comment
version: 1
policy: {ingress: drop, neighbor_discovery: judge}
rules:
  - drop icmp on docker0
  - {action: drop, ethertype: 0x88cc, vlan: 0100}
  - id: web
    action: accept
    proto: tcp
    dport: 80,443
    src: "!10.0.0.0/8"
    expires: 2026-11-21T10:00:00Z
    comment: no
  - text: drop udp
    id: dns
attachments:
  - {iface: eth0, hook: tc, direction: egress}
"""


def test_yaml_is_read_as_it_looks() -> None:
    ruleset = load_ruleset(YAML, name="f.yaml")
    assert [rule.text for rule in ruleset.rules] == [
        "drop icmp on docker0",
        "drop vlan 100 ethertype 0x88cc",
        'accept tcp/80,443 from not 10.0.0.0/8 until 2026-11-21T10:00:00Z comment "no"',
        "drop udp",
    ]
    assert [rule.id for rule in ruleset.rules] == [None, None, "web", "dns"]
    assert ruleset.policy.to_json() == {
        "ingress": "drop",
        "egress": "accept",
        "non_ip": "accept",
        "neighbor_discovery": "judge",
    }
    assert [spec.place for spec in ruleset.attachments or ()] == ["tc-egress"]


@pytest.mark.parametrize("format", ["yaml", "json"])
def test_a_dump_loads_back(format: str) -> None:
    ruleset = load_ruleset(YAML, name="f.yaml")
    text = dump_ruleset(ruleset, format)  # type: ignore[arg-type]
    assert load_ruleset(text, name="out") == ruleset
    assert dump_ruleset(load_ruleset(text, name="out"), format) == text  # type: ignore[arg-type]


@pytest.mark.parametrize("format", ["yaml", "json"])
def test_a_dump_has_every_section(format: str) -> None:
    whole = {
        "version": 1,
        "policy": {"ingress": "drop", "egress": "accept keep"},
        "flows": {"timeouts": {"tcp": "2h", "udp": 60}},
        "sets": {"bad": {"entries": ["10.0.0.1"]}},
        "rules": ["accept tcp/22 keep limit 5/s", "drop tcp over 1MB/s per src"],
        "attachments": [{"iface": "eth0", "hook": "tc", "direction": "egress"}],
    }
    ruleset = Ruleset.parse(whole)
    assert ruleset.to_json().keys() == whole.keys()
    text = dump_ruleset(ruleset, format)  # type: ignore[arg-type]
    assert load_ruleset(text, name="out").to_json() == ruleset.to_json()


def test_what_yaml_would_misread_is_quoted() -> None:
    ruleset = Ruleset.parse(
        {
            "version": 1,
            "rules": [{"id": "0123", "action": "drop", "iface": "no", "comment": "- a: b # c"}],
        }
    )
    text = dump_ruleset(ruleset)
    assert '- id: "0123"' in text
    assert 'iface: "no"' in text
    assert 'comment: "- a: b # c"' in text


def test_json_may_begin_with_a_mark() -> None:
    text = "\ufeff" + json.dumps({"version": 1, "rules": ["drop icmp"]})
    assert load_ruleset(text, name="f").rules[0].text == "drop icmp"


@pytest.mark.parametrize(
    ("text", "field", "parts"),
    [
        ("", "ruleset", ["f: ", "version and rules"]),
        ("- drop", "ruleset", ["f: line 1: ", "version and rules"]),
        ("version: 1\nrules:\n- drop\n- action: drop\n  src: 10.0.0.5/8\n", "rules[1].src",
         ["f: line 5: rule 2: src: '10.0.0.5/8'", "10.0.0.0/8"]),
        ("version: 1\nrules:\n- drop\n- drop fron x\n", "rules[1].text",
         ["f: line 4: rule 2: 'fron' at character 6"]),
        ("version: 1\nrules:\n- action: drop\n  sport: 3\n", "rules[0].sport", ["line 4: rule 1"]),
        ("version: 1\nrules:\n- action: drop\n  src: !10.0.0.0/8\n", "rules[0].src",
         ["f: line 4: ", "tag"]),
        ("version: 1\nrules:\n- action: drop\n  src: @x\n", "file", ["f: line 4: not YAML"]),
        ("version: 1\nrules:\n- action: drop\n  src:\n", "rules[0].src",
         ["f: line 4: ", "no src at all"]),
        ("version: 1\nrules:\n-\n", "rules[0]", ["f: line 3: rule 1"]),
        ("version: 1\nversion: 1\nrules: []", "file", ["f: line 2: 'version' stands twice"]),
        ("version: 1\nrules: []\npolicy: {ingress: no}", "policy.ingress",
         ["f: line 3: policy.ingress: 'no'", "accept or drop"]),
        ("version: 1\nrules: []\nsets:\n  a:\n    entries:\n      - 10.0.0.1\n      - 10.0.0.1/8\n",
         "sets.a.entries[1]", ["f: line 7: ", "host bits"]),
        ("version: 1\nrules: [&a [*a]]", "file", ["f: line 2: "]),
        ("a: &a [*a]", "file", ["nested too deeply"]),
        ("version: 1\nrules: []\n? [a]\n: 1", "file", ["not text"]),
        ("version: 1\nrules: !!set {a}", "rules", ["f: line 2: ", "tag"]),
        ("a: 1\n---\na: 1", "file", ["f: line 2: not YAML"]),
        ("[" * 900, "file", ["f: ", "nested too deeply"]),
        ("\x00", "file", ["f: this is a binary file"]),
        ('{"version": 1,\n}', "file", ["f: line 2: not JSON"]),
        ('{"version": 1, "version": 1}', "file", ["f: 'version' stands twice"]),
        ('{"version": NaN}', "file", ["f: NaN is not JSON"]),
        ('{"a":' * 100_000, "file", ["f: nested too deeply"]),
        ('{"version": 1, "rules": ["drop", {"action": "drop", "ttl": 256}]}', "rules[1].ttl",
         ["f: rule 2: ttl: 256", "0 to 255"]),
        ('{"a": ' + "9" * 5000 + "}", "file", ["f: "]),
    ],
    ids=range(25),
)  # fmt: skip
def test_errors_name_the_place(text: str, field: str, parts: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_ruleset(text, name="f")
    assert caught.value.field == field
    for part in parts:
        assert part in caught.value.message
    assert caught.value.message.startswith("f: ")


def test_anchors_cannot_make_it_endless() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    with pytest.raises(InvalidInput, match="nested too deeply, or too large"):
        load_ruleset("\n".join(lines), name="bomb")


def test_a_size_limit() -> None:
    with pytest.raises(InvalidInput, match="at most 16,777,216") as caught:
        load_ruleset(" " * (MAX_BYTES + 1), name="f")
    assert caught.value.code == "too-large"


def test_an_unknown_format() -> None:
    with pytest.raises(InvalidInput, match="yaml or json"):
        dump_ruleset(Ruleset(), "toml")  # type: ignore[arg-type]


def test_a_large_set_is_written_packed_and_its_timed_entries_beside() -> None:
    rows: list[Any] = [f"10.0.{i >> 8}.{i & 255}" for i in range(1500)]
    rows[7] = {"entry": rows[7], "expires": "2099-01-01T00:00:00Z"}
    ruleset = Ruleset.parse({"version": 1, "rules": [], "sets": {"big": {"entries": rows}}})
    written = ruleset.to_json()["sets"]["big"]
    assert written["entries"] == [rows[7]]
    assert load_ruleset(dump_ruleset(ruleset), name="f") == ruleset


def test_the_file_of_a_set_is_read_by_who_is_given() -> None:
    asked = []

    def files(name: str) -> SetContent:
        asked.append(name)
        if name == "bad.txt":
            raise InvalidInput("bad.txt: line 3: 'x' is not an address")
        return SetContent.parse({"entries": ["10.0.0.1"]})

    text = "version: 1\nrules: []\nsets:\n  a:\n    file: {}.txt\n"
    found = load_ruleset(text.format("list"), name="f", files=files).sets
    assert asked == ["list.txt"] and found is not None and len(found["a"]) == 1
    with pytest.raises(InvalidInput, match=r"^f: line 5: sets.a.file: bad.txt: line 3: 'x'"):
        load_ruleset(text.format("bad"), name="f", files=files)


@pytest.mark.parametrize(
    ("begin", "item", "end"),
    [
        ('{"version": 1, "rules": [', "{},", "0]}"),
        ('{"version": 1, "rules": [', "[[", ""),
        ("version: 1\nrules: [", "0,", "0]\n"),
        ("version: 1\nrules:\n", "- 0\n", ""),
        ("version: 1\nrules:\n", "- {a: 1}\n", ""),
        ("version: 1\nsets:\n  bad:\n    entries:\n", "    - a\n", ""),
    ],
)
def test_a_file_of_very_many_values_is_refused_before_it_is_read(
    begin: str, item: str, end: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_ruleset(begin + item * 1_000_001 + end, name="f")
    assert caught.value.code == "too-many"
    assert caught.value.message == "f: holds more than 1,000,000 values"
