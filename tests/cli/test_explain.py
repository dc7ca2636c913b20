"""xdpwall explain: in words and of a capture, what is in force and what is not, and nothing counts."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from tests.cli.support import Instance, invoke
from tests.support.packets import frames as f

RULES = """
version: 1
policy: {ingress: drop}
sets: {bad: {entries: [10.9.0.7, 10.8.0.0/16]}}
rules:
- {id: tell, action: count, proto: tcp}
- {id: web, action: accept, proto: tcp, dport: 80}
- {id: ssh, action: accept, proto: tcp, dport: 22, src: "!10.9.0.2"}
- {id: bad, action: drop, src: "@bad"}
- {id: off, action: accept, enabled: false}
attachments: [{iface: veth0}, {iface: veth0, hook: tc}]
"""


def explained(wall: Instance, *args: str, stdin: str = "") -> list[dict[str, Any]]:
    found = wall.run("explain", "-j", *args, stdin=stdin)
    assert found.returncode == 0, found.stderr
    packets: list[dict[str, Any]] = json.loads(found.stdout)["packets"]
    return packets


def test_in_words(wall: Instance) -> None:
    wall.done("apply", "-", stdin=RULES)
    (one,) = explained(wall, "tcp/22", "from", "10.9.0.2", "on", "veth0")
    assert one["verdict"] == "drop" and [hook["place"] for hook in one["hooks"]] == ["xdp"]
    (hook,) = one["hooks"]
    assert (hook["by"], hook["policy"], hook["attached"]) == ("policy", "ingress drop", True)
    assert [rule["id"] for rule in hook["counted"]] == ["tell"]
    near = {rule["rule"]["id"]: rule["differs"] for rule in hook["near"]}
    assert near["web"] == [{"field": "dport", "packet": "22", "rule": "80", "unreadable": False}]
    assert near["ssh"][0]["field"] == "src" and near["ssh"][0]["rule"] == "not 10.9.0.2"
    assert "off" not in near
    (one,) = explained(wall, "tcp/22 from 10.8.1.1")
    assert one["verdict"] == "pass" and "iface" in one["assumed"]
    assert [(hook["place"], hook["rule"]["id"]) for hook in one["hooks"]] == [
        ("xdp", "ssh"),
        ("tc-ingress", "ssh"),
    ]
    (one,) = explained(wall, "udp/53 from 10.8.1.1")
    assert one["hooks"][0]["rule"]["id"] == "bad"
    (one,) = explained(wall, "udp fragment later from 10.9.0.2")
    assert one["hooks"][0]["unreadable"] == ["sport", "dport"]
    counts = json.loads(wall.run("rule", "list", "-j").stdout)["rules"]
    assert all(rule["packets"] == 0 for rule in counts), "explaining counts nothing"
    text = wall.here("explain", "tcp/22", "from", "10.9.0.2", "on", "veth0").stdout
    for line in (
        "  veth0 xdp: drop by policy ingress drop\n",
        "      counted before: rule 1 tell: count tcp\n",
        "      not rule 2 web: accept tcp/80\n          dport is 22, the rule wants 80\n",
    ):
        assert line in text
    assert wall.here("explain", "-o", "name", "tcp/80").stdout == "pass\n"
    (one,) = explained(wall, "--rule", "ssh")
    assert one["hooks"][0]["rule"]["id"] == "ssh" and one["hooks"][0]["attached"]
    (one,) = explained(wall, "--rule", "off")
    assert one["packet"] and one["hooks"][0]["by"] == "policy"
    assert wall.run("explain", "--rule", "nobody").returncode == 3
    assert wall.run("explain", "--rule", "ssh", "tcp").returncode == 2


def test_what_is_not_attached_or_not_in_force(wall: Instance) -> None:
    (one,) = explained(wall, "tcp/80 on veth0")
    assert one["verdict"] == "pass" and "nothing is attached" in one["notes"][0]
    wall.done("apply", "-", stdin=RULES)
    (one,) = explained(wall, "tcp/81 on veth9")
    assert (one["verdict"], one["hooks"][0]["attached"]) == ("pass", False)
    assert one["hooks"][0]["verdict"] == "drop", "what would be"
    (one,) = explained(wall, "udp/53 from 10.8.0.1 on veth0 out")
    assert one["hooks"][0]["rule"]["id"] == "bad" and one["verdict"] == "pass"
    new = "version: 1\nrules: [drop tcp/80 on veth0, accept from @bad]\n"
    (one,) = explained(wall, "tcp/80 on veth0", "--file", "-", stdin=new)
    assert one["hooks"][0]["rule"]["text"] == "drop tcp/80 on veth0"
    (one,) = explained(wall, "udp from 10.9.0.7", "--file", "-", stdin=new)
    assert one["hooks"][0]["rule"]["text"] == "accept from @bad", "the set is that of the host"
    stated = "version: 1\nsets: {bad: {entries: [1.1.1.1]}}\nrules: [drop from @bad]\n"
    (one,) = explained(wall, "udp from 10.9.0.7 on veth0", "--file", "-", stdin=stated)
    assert one["hooks"][0]["by"] == "policy"
    (one,) = explained(wall, "udp from 1.1.1.1 on veth0", "--file", "-", stdin=stated)
    assert one["hooks"][0]["by"] == "rule"
    unknown = wall.run(
        "explain", "udp", "--file", "-", stdin="version: 1\nrules: [drop from @nobody]\n"
    )
    assert unknown.returncode in (2, 3) and "nobody" in unknown.stderr
    (one,) = explained(wall, "tcp/81 on veth0")
    assert one["verdict"] == "drop", "what is in force did not change"


def test_off_is_said(wall: Instance) -> None:
    wall.done("apply", "-", stdin=RULES)
    wall.done("off")
    (one,) = explained(wall, "tcp/81 on veth0")
    assert one["verdict"] == "pass"
    assert {hook["by"] for hook in one["hooks"]} == {"off"}
    assert one["hooks"][0]["notes"] == ["but for that: drop by policy ingress drop"]


def test_a_capture(wall: Instance, tmp_path: Path) -> None:
    wall.done("apply", "-", stdin=RULES)
    tagged = f.ether(f.tag(f.ipv4(f.tcp(dport=80)), 7))
    frames = [f.ether(f.ipv4(f.tcp(dport=80))), f.ether(f.ipv4(f.udp(bytes(1000))))[:60], tagged]
    frames += [f.ether(f.arp()), f.ether(f.ipv4(f.tcp()))[:30]]
    head = b"\xd4\xc3\xb2\xa1" + struct.pack("<HHiIII", 2, 4, 0, 0, 65535, 1)
    lengths = [len(frames[0]), 1042, *map(len, frames[2:])]
    records = (
        struct.pack("<IIII", 0, 0, len(frame), length) + frame
        for frame, length in zip(frames, lengths, strict=True)
    )
    file = tmp_path / "some.pcap"
    file.write_bytes(head + b"".join(records))
    found = explained(wall, "--pcap", str(file), "--iface", "veth0")
    assert [one.get("verdict") for one in found] == ["pass", "drop", "pass", "pass", "drop"]
    assert "60 of 1042 bytes" in found[1]["notes"][0]
    assert any("tag" in note for note in found[2]["hooks"][0]["notes"])
    assert found[3]["hooks"][0]["policy"] == "non_ip accept"
    assert "src" in found[4]["hooks"][0]["unreadable"]
    text = wall.here("explain", "--pcap", str(file), "--iface", "veth0")
    assert "5 packets: 2 dropped" in text.stderr
    file.write_bytes(head + b"\0" * 7)
    assert wall.run("explain", "--pcap", str(file)).returncode == 2
    assert wall.run("explain", "--pcap", str(tmp_path / "none")).returncode == 3


def test_usage(wall: Instance) -> None:
    for args in ((), ("tcp", "--pcap", "x"), ("tcp/22-23",), ("tcp", "on", "a", "--iface", "b")):
        assert wall.run("explain", *args).returncode == 2, args


def test_help() -> None:
    assert "Say what becomes of a packet" in invoke("explain", "--help").output


STATEFUL = """
version: 1
rules: [drop state invalid, accept tcp/22 keep]
"""


def test_why_a_packet_is_invalid(direct: Instance) -> None:
    """The same in words and in JSON; of any other state nothing is said but the state."""
    direct.done("apply", "-", stdin=STATEFUL)
    for packet, state, why in (
        ("tcp/22 flags syn,ack", "invalid", "TCP SYN,ACK, no flow, no socket"),
        ("icmp/destination-unreachable", "invalid", "an error about no flow"),
        ("tcp/22 flags syn", "new", None),
    ):
        (one,) = explained(direct, f"{packet} on veth0")
        hook = one["hooks"][0]
        assert (hook["state"], hook.get("why_invalid")) == (state, why)
    said = direct.here("explain", "icmp/echo-reply on veth0").stdout
    assert "      state: invalid (nobody asked for it)\n" in said
