"""Bad input for every field and flag: refused with the field's name, and nothing changed."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from tests.cli.support import Instance
from xdpwall.cli.commands.rule_fields import FLAG_FIELDS

FLAGS: dict[str, list[str]] = {
    "iface": ["", "a b", "a/b", "sixteen-letters-", "!", ".", "!!lo", "a\x1b[2J"],
    "direction": ["up", "", "in", "Ingress"],
    "ethertype": ["ipv4", "ipv6", "0x0800", "0x86dd", "0x5ff", "0x10000", "arp2", "-1"],
    "family": ["ipv5", "4", "inet", ""],
    "proto": ["256", "-1", "tcpp", "", "1.5", "0x6"],
    "src": [
        "10.0.0.1/8",
        "10.0.0",
        "300.0.0.1",
        "::1/129",
        "2001:db8::1/32",
        "host",
        "@set",
        "!!::",
    ],
    "dst": ["10.0.0.0/33", "1.2.3.4.5", "", "!", "10.0.0.1-10.0.0.9", "fe80::1%lo"],
    "sport": ["0x50", "65536", "90-80", "a", "80,,90", "", "-1", "80;90"],
    "dport": ["70000", "1-", "-", ",", "!", "HTTP"],
    "icmp_type": ["256", "pong", "-1", ""],
    "icmp_code": ["256", "none", "-1"],
    "tcp_flags": ["sin", "syn/", "/syn", "syn/ack", "", "none", "syn,,ack/all"],
    "vlan": ["4096", "-1", "any", "1-5", ""],
    "length": ["9-1", "-5", "1-2-3", "x", "", "70000"],
    "ttl": ["256", "5-1", "x", ""],
    "fragment": ["maybe", "2", "", "True"],
    "state": ["open", "", "!", "new,,related", "New", "!new,established,related,invalid,untracked"],
    "expires": ["soon", "2026-13-01T00:00:00Z", "2026-01-01", "10", "-5m", ""],
    "comment": ["x" * 257, "a\nb", "\x1b[2J"],
    "limit": ["", "10", "0/s", "-1/s", "10/week", "10/s burst 0", "10/s per dst"],
    "over": ["", "ten/s", "10/s burst x", "10/s per src/129", "per src"],
}
"""Values that the flag of each field must refuse by the field's name."""

BESIDE = {
    "sport": ["--proto", "tcp"],
    "dport": ["--proto", "tcp"],
    "icmp_type": ["--proto", "icmp"],
    "icmp_code": ["--proto", "icmp", "--icmp-type", "echo-request"],
    "tcp_flags": ["--proto", "tcp"],
}
"""What the field needs so that only its value is wrong."""

LINES = {
    "rule add drop --dport 80": "dport",
    "rule add drop --proto icmp --dport 80": "dport",
    "rule add drop --icmp-type echo-request": "icmp_type",
    "rule add drop --proto icmp --icmp-code 1": "icmp_code",
    "rule add drop --proto udp --tcp-flags syn": "tcp_flags",
    "rule add drop --proto icmp --src 2001:db8::1": "src",
    "rule add drop --family ipv6 --src 10.0.0.1": "src",
    "rule add drop --ethertype arp --proto tcp": "proto",
    "rule add drop --ethertype any --src 10.0.0.1": "src",
    "rule add drop log --log": "log",
    "rule add drop from @resolvers": "src",
    "rule add drop log log": "log",
    "rule add deny": "here it is called drop",
    "rule add DROP --proto tcp": "did you mean 'drop'",
    "rule add drop --proto icpm": "did you mean 'icmp'",
    "rule set one --action=allow": "accept",
    "rule add drop --id UPPER": "id",
    "rule add drop --id -x": "id",
    "rule add drop --id " + "x" * 33: "id",
    "rule add drop on lo --iface lo": "iface",
    "rule set one --unset colour": "unset",
    "rule set one --unset action": "unset",
    "rule set one": "rule",
    "policy set ingres drop": "policy",
    "policy set ingress reject": "ingress",
    "policy set neighbor_discovery drop": "neighbor_discovery",
    "policy set non_ip judge": "non_ip",
    "policy set ingress": "ingress",
    "policy set ingress drop ingress accept": "ingress",
    "attach": "iface",
    "attach a/b": "iface",
    "attach veth0 --direction egress": "direction",
    "attach veth0 --hook tc --mode native": "mode",
    "detach": "iface",
    "detach veth0 --all": "iface",
    "apply - --confirm 0": "confirm",
    "rule add drop icmp --confirm 3601": "confirm",
}
"""Command lines, and the field or flag that the answer must name."""

FILES = {
    "": "",
    "[]": "",
    "version: 2\nrules: []": "version",
    "version: 1\nrulez: []": "rulez",
    "version: 1\nrules: []\nsets: []": "sets",
    "version: 1\nrules: drop": "rules",
    "version: 1\nrules: [drop icmp form x]": "form",
    "version: 1\nrules: [{action: drop, dport: 80}]": "dport",
    "version: 1\nrules: [{action: drop, colour: red}]": "colour",
    "version: 1\nrules: [{action: drop, id: a}, {action: drop, id: a}]": "id",
    "version: 1\npolicy: {ingress: maybe}\nrules: []": "ingress",
    "version: 1\nrules: []\nattachments: [{iface: lo, hook: nf}]": "hook",
    "version: 1\nrules: [": "line",
    "\x00": "",
    "{": "",
}
"""Ruleset files, and a word that the answer must have."""


def test_every_field_has_bad_values() -> None:
    assert set(FLAGS) == set(FLAG_FIELDS)


def test_bad_values_are_refused_by_name_and_change_nothing(direct: Instance) -> None:
    direct.done("rule", "add", "drop", "icmp", "--id", "one")
    before = direct.here("export").stdout, direct.json("rule", "list")
    wrong = []
    for field, values in FLAGS.items():
        flag = f"--{field.replace('_', '-')}"
        for value in values:
            for start in (["rule", "add", "drop"], ["rule", "set", "one"]):
                if start[1] == "set" and field in BESIDE:
                    continue  # Its rule has another protocol: that would be wrong as well.
                done = direct.here(*start, *BESIDE.get(field, []), f"{flag}={value}")
                named = re.search(rf"\b{field}\b", done.stderr)
                if done.exit_code != 2 or not named or done.stdout or "\x1b" in done.stderr:
                    wrong.append((start[1], field, value, done.exit_code, done.output))
    assert not wrong
    assert (direct.here("export").stdout, direct.json("rule", "list")) == before


def test_bad_command_lines_are_refused_by_name_and_change_nothing(direct: Instance) -> None:
    direct.done("rule", "add", "drop", "icmp", "--id", "one")
    before = direct.here("export").stdout, direct.json("rule", "list")
    wrong = []
    for line, field in LINES.items():
        done = direct.here(*line.split())
        if done.exit_code != 2 or field not in done.stderr.lower() or done.stdout:
            wrong.append((line, field, done.exit_code, done.output))
    for text, word in FILES.items():
        done = direct.here("apply", "-", stdin=text)
        if done.exit_code != 2 or word not in done.stderr or done.stdout:
            wrong.append((text, word, done.exit_code, done.output))
    assert not wrong
    assert (direct.here("export").stdout, direct.json("rule", "list")) == before


@pytest.mark.parametrize(
    ("make", "code"),
    [
        ("missing", 3),
        ("folder", 2),
        ("binary", 2),
        ("large", 2),
    ],
)
def test_files_that_cannot_be_read(direct: Instance, make: str, code: int) -> None:
    path = direct.state_dir.parent / "rules.yaml"
    if make == "folder":
        path.mkdir()
    elif make == "binary":
        path.write_bytes(b"version: 1\n\xff\xfe")
    elif make == "large":
        with path.open("wb") as file:
            file.truncate(16 * 1024 * 1024 + 1)
    done = direct.here("apply", str(path))
    assert done.exit_code == code
    assert str(path) in done.stderr


@pytest.mark.parametrize(
    ("words", "marked"),
    [
        ("drop icmp form 10.0.0.1", "form"),
        ("dorp icmp", "dorp"),
        ("drop tcp/99999", "99999"),
        ("drop icmp on eth0 on eth1", "on eth1"),
        ("drop from 10.0.0.1/8", "10.0.0.1/8"),
        ("drop udp vlan 5000", "5000"),
    ],
)
def test_the_caret_stands_under_the_wrong_word(direct: Instance, words: str, marked: str) -> None:
    done = direct.here("rule", "add", *words.split())
    lines = done.stderr.splitlines()
    sentence, carets = next((a, b) for a, b in pairwise(lines) if "^" in b)
    assert sentence == f"  {words}"
    start = carets.index("^")
    under = sentence[start : start + carets.count("^")]
    assert under == marked or under in marked
