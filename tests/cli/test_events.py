"""xdpwall events, show and set: without the service, what people read, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import PATIENCE, Instance, clean_environment
from tests.support.packets import frames as f
from tests.support.packets.packets import Wire
from tests.support.paths import ROOT
from xdpwall.cli.terminal.event_line import event_words
from xdpwall.views.events import PacketEvent


def watch(site: Instance, *args: str) -> subprocess.Popen[str]:
    """`xdpwall events ARGS`, once it watches."""
    process = subprocess.Popen(
        site.argv("events", *args),
        cwd=ROOT,
        env=clean_environment(**site.env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "watching; Ctrl-C ends\n"
    return process


def ping(site: Instance) -> None:
    """One from the box, which a rule drops."""
    assert site.box is not None
    site.box.status("ping", "-c", "1", "-W", "0.1", "10.9.0.1")


@pytest.fixture
def dropping(direct: Instance) -> Instance:
    """veth0 attached, pings dropped by a rule that reports them."""
    direct.done("attach", "veth0")
    direct.done("rule", "add", "drop", "icmp", "log", "--id", "noping")
    return direct


def test_lines_for_people(dropping: Instance) -> None:
    process = watch(dropping, "-c", "1")
    ping(dropping)
    out, words = process.communicate(timeout=PATIENCE)
    time, rest = out.split(" ", 1)
    assert len(time) == len("14:15:40.244607")
    assert rest == (
        "drop veth0 xdp noping  icmp/echo-request 10.9.0.2 > 10.9.0.1 length 84 ttl 64\n"
    )
    assert (process.returncode, words) == (0, "every packet was reported\n")


def test_interrupted_it_says_what_was_left_out(dropping: Instance) -> None:
    dropping.done("events", "set", "--rate", "1")
    process = watch(dropping, "-o", "name")
    assert process.stdout is not None
    assert dropping.box is not None
    with Wire(dropping.box, "eth0") as wire:
        for _ in range(100):  # in far less than 100 seconds
            wire.send(f.ether(f.ipv4(f.icmp()), pad=60))
    assert process.stdout.readline() == "noping\n"
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert words.endswith("over the rate\n")


def test_a_second_one_is_told_who_reads(dropping: Instance) -> None:
    first = watch(dropping)
    try:
        second = dropping.run("events", "-c", "1")
        assert second.returncode == 5
        assert f"xdpwall events (process {first.pid}) reads the events already" in second.stderr
        assert "xdpwall serve" in second.stderr
        assert f"xdpwall events (process {first.pid})" in dropping.ok("events", "show")
    finally:
        first.kill()
        first.communicate()
    assert dropping.json("events", "show").get("reader") is None


def test_set_and_show(direct: Instance) -> None:
    shown = direct.json("events", "show")
    assert shown["settings"] == {
        "enabled": True, "log_drops": False, "sample": 1, "rate": 100, "bytes": 128,
    }  # fmt: skip
    wanted = ["--log-drops", "on", "--sample", "10", "--rate", "5", "--bytes", "0"]
    changed = direct.json("events", "set", *wanted)
    assert changed["changed"] is True
    assert changed["settings"] == direct.json("events", "show")["settings"]
    words = direct.here("events", "set", "--enabled", "off").stdout
    assert "events    off\n" in words
    assert "each drop, and packets of rules with log, one in 10" in words
    assert "events are off" in direct.run("events", "-c", "1", "--pcap", "/nowhere/x").stderr


@pytest.mark.parametrize(
    ("args", "code", "word"),
    [
        (["set"], 2, "nothing to change"),
        (["set", "--rate", "0"], 2, "rate"),
        (["set", "--sample", "1.5"], 2, "sample"),
        (["set", "--bytes", "257"], 2, "bytes"),
        (["set", "--enabled", "yes"], 2, "on or off"),
        (["--src", "10.0.0.1/8"], 2, "src"),
        (["--verdict", "reject"], 2, "drop or pass"),
        (["--proto", "tpc"], 2, "proto"),
        (["-c", "0"], 2, "--count"),
        (["-o", "json", "--pcap", "-"], 2, "not both"),
        (["--pcap", "/nowhere/x.pcapng"], 1, "/nowhere/x.pcapng"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_what_is_refused(direct: Instance, args: list[str], code: int, word: str) -> None:
    done = direct.here("events", *args)
    assert done.exit_code == code, done.output
    assert word in done.stderr
    assert done.stdout == ""


def test_a_capture_needs_bytes(direct: Instance, tmp_path: Path) -> None:
    direct.done("events", "set", "--bytes", "0")
    done = direct.here("events", "--pcap", str(tmp_path / "x"))
    assert (done.exit_code, "events set --bytes" in done.stderr) == (2, True)
    assert not (tmp_path / "x").exists()


def test_a_capture_to_stdout_is_nothing_else(dropping: Instance) -> None:
    process = subprocess.Popen(
        dropping.argv("events", "-c", "1", "--pcap", "-"),
        cwd=ROOT,
        env=clean_environment(**dropping.env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    head = os.read(process.stdout.fileno(), 4)
    assert head == bytes.fromhex("0a0d0d0a")
    ping(dropping)
    rest, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert b"drop by rule noping at veth0 xdp" in rest
    assert b"echo-request" not in rest


EVENT: dict[str, Any] = {
    "n": 1, "time": "2026-11-21T10:00:00.000000Z", "iface": "eth0", "place": "xdp",
    "direction": "ingress", "verdict": "drop", "revision": 1, "bytes": 60,
}  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"family": "ipv6", "proto": "tcp", "src": "2001:db8::1", "dst": "2001:db8::2",
             "sport": 1, "dport": 22, "tcp_flags": "syn", "length": 60, "ttl": 3, "rule": "r1"},
            "eth0 xdp r1  tcp [2001:db8::1]:1 > [2001:db8::2]:22 syn length 60 ttl 3",
        ),
        (
            {"family": "ipv4", "proto": 89, "src": "10.0.0.1", "dst": "224.0.0.5", "vlan": 7,
             "packets": 3, "fragment": "later", "malformed": True, "log": "w"},
            "eth0 xdp policy (log of w)  proto 89 10.0.0.1 > 224.0.0.5 vlan 7 fragment later "
            + "(3 packets in one) malformed",
        ),
        (
            {"ethertype": "arp", "src_mac": "02:00:00:00:00:01", "dst_mac": "ff:ff:ff:ff:ff:ff"},
            "eth0 xdp policy  ethertype arp 02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff 60 bytes",
        ),
        ({"family": "ipv4", "malformed": True}, "eth0 xdp policy  ipv4 ? > ? malformed"),
        ({"behind": "container web (web:1)"},
         "eth0 (container web (web:1)) xdp policy  not IP ? > ? 60 bytes"),
        ({}, "eth0 xdp policy  not IP ? > ? 60 bytes"),
    ],
)  # fmt: skip
def test_words(fields: dict[str, Any], words: str) -> None:
    assert event_words(PacketEvent(**{**EVENT, **fields})) == words


def test_log_is_taken_away_like_any_field(dropping: Instance) -> None:
    assert dropping.json("rule", "show", "noping")["log"] is True
    dropping.done("rule", "set", "noping", "--unset", "log")
    assert dropping.json("rule", "show", "noping")["log"] is False
    dropping.done("rule", "set", "noping", "--log")
    assert dropping.json("rule", "show", "noping")["text"] == "drop icmp log"


def test_each_object_stands_on_a_line_of_its_own(dropping: Instance) -> None:
    process = watch(dropping, "-j", "-c", "2")
    ping(dropping)
    ping(dropping)
    out, _ = process.communicate(timeout=PATIENCE)
    assert [json.loads(line)["rule"] for line in out.splitlines()] == ["noping", "noping"]


def test_a_rule_that_is_not_there_is_not_waited_for(dropping: Instance) -> None:
    done = dropping.run("events", "--rule", "noping2", "-c", "1")
    assert done.returncode == 3
    assert "no rule with the id 'noping2'" in done.stderr
    assert "did you mean 'noping'?" in done.stderr


def test_the_rules_word_for_pass_is_taken(dropping: Instance) -> None:
    dropping.done("rule", "add", "accept icmp log", "--id", "yes", "--at", "1")
    process = watch(dropping, "-c", "1", "--verdict", "accept", "-o", "name")
    ping(dropping)
    assert process.communicate(timeout=PATIENCE)[0] == "yes\n"
    assert dropping.here("events", "--verdict", "reject").exit_code == 2


def test_what_was_before_is_kept_by_the_service(served: Instance) -> None:
    served.done("attach", "veth0")
    served.done("rule", "add", "drop icmp log", "--id", "noping")
    process = watch(served, "-c", "3", "-j")
    assert served.box is not None
    with Wire(served.box, "eth0") as wire:
        for ttl in (1, 2, 3):
            wire.send(f.ether(f.ipv4(f.icmp(), ttl=ttl), pad=60))
    seen = [json.loads(line) for line in process.communicate(timeout=PATIENCE)[0].splitlines()]
    assert [one["ttl"] for one in seen] == [1, 2, 3]

    def kept(*args: str) -> list[int]:
        done = served.run("events", "-j", *args)
        assert done.returncode == 0, done.stderr
        return [json.loads(line)["ttl"] for line in done.stdout.splitlines()]

    assert kept("--last", "2", "-c", "2") == [2, 3]
    assert kept("--last", "500", "-c", "3") == [1, 2, 3]
    assert kept("--since", "10m", "-c", "2") == [1, 2]
    assert kept("--since", seen[1]["time"][:19] + "Z", "--last", "1", "-c", "1") == [3]
    process = watch(served, "-c", "1", "--last", "5", "--since", "2090-01-01T00:00:00Z", "-j")
    process.kill()
    process.communicate()


@pytest.mark.parametrize("args", [["--last", "5"], ["--since", "10m"]])
def test_without_the_service_nothing_is_kept(dropping: Instance, args: list[str]) -> None:
    done = dropping.run("events", *args)
    assert done.returncode == 2
    assert "nobody keeps events without the service" in done.stderr


@pytest.mark.parametrize("text", ["soon", "10", "2026-13-01T00:00:00Z", "Tuesday", ""])
def test_since_is_a_time_or_a_duration(direct: Instance, text: str) -> None:
    done = direct.here("events", "--since", text)
    assert done.exit_code == 2 and "since" in done.stderr
