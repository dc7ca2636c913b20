"""Interfaces may be called by any bytes: their names are text everywhere, and no terminal obeys them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.net.netns import Lab
from tests.support.paths import ROOT
from tests.support.service.service import Service
from xdpwall.kernel.net.links import links
from xdpwall.kernel.net.names import interface_index, name_text

ODD = [b"a\xffb", "c\x85d".encode(), "é".encode(), b"e\xc3", b"x\x7fy"]


@pytest.fixture
def odd(lab: Lab, tmp_path: Path) -> Iterator[Service]:
    space = lab.namespace()
    for name in ODD:
        subprocess.run(
            [b"ip", b"-n", space.name.encode(), b"link", b"add", name, b"type", b"veth"], check=True
        )
    service = Service(space, tmp_path, lab.bpffs)
    yield service
    service.kill()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("eth0", "eth0"),
        (b"eth0", "eth0"),
        (b"eth0\0\0", "eth0"),
        ("é", "é"),
        ("é".encode(), "é"),
        (b"a\xffb", "a\\xffb"),
        ("a\udcffb", "a\\xffb"),
        ("c\x85d", "c\x85d"),
        (None, ""),
    ],
)
def test_the_text_of_a_name(given: str | bytes | None, text: str) -> None:
    assert name_text(given) == text


def test_every_reader_gives_the_same_text(odd: Service) -> None:
    with odd.space.inside():
        known = {name for _, name in interface_index()}
        assert known == {one.name for one in links()}
    assert {"a\\xffb", "e\\xc3", "é"} <= known


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/interfaces", None),
        ("GET", "/status", None),
        ("GET", "/healthz", None),
        ("POST", "/rules/parse", {"text": "drop icmp on ", "partial": True}),
        ("POST", "/rules", {"action": "drop", "iface": "nope"}),
        ("PUT", "/interfaces/nope/attachments/xdp", {}),
        ("DELETE", "/interfaces/nope/attachments", None),
        ("PUT", "/policy?dry_run=true", {"ingress": "drop"}),
    ],
)
def test_the_service_answers(odd: Service, method: str, path: str, body: object) -> None:
    with odd:
        reply = odd.call(method, path, body)
        assert reply.status < 500, reply.content
        text = reply.content.decode()
        json.loads(text)
        assert not any(c in text for c in map(chr, (0x7F, *range(0x80, 0xA0))))
        assert "Traceback" not in odd.log()


@pytest.mark.parametrize("output", ["table", "wide", "json", "yaml", "name"])
@pytest.mark.parametrize(
    "words",
    ["status", "doctor", "rule list", "attach nope", "detach nope", "rule add drop on nope"],
)
def test_no_output_has_a_raw_control(odd: Service, words: str, output: str) -> None:
    paths = [str(one) for one in (odd.settings.state_dir, odd.settings.bpffs, odd.settings.socket)]
    names = ("XDPWALL_STATE_DIR", "XDPWALL_BPFFS", "XDPWALL_SOCKET")
    done = subprocess.run(
        odd.space.argv(sys.executable, "-m", "xdpwall", *words.split(), "-o", output),
        cwd=ROOT, capture_output=True, check=False,
        env={**os.environ, **dict(zip(names, paths, strict=True)), "PYTHONUTF8": "1"},
    )  # fmt: skip
    text = (done.stdout + done.stderr).decode()
    assert "Traceback" not in text
    assert not {c for c in text if not c.isprintable()} - {"\n"}


def test_completion_offers_what_can_be_typed(odd: Service) -> None:
    done = subprocess.run(
        odd.space.argv(sys.executable, "-m", "xdpwall"), cwd=ROOT, capture_output=True, check=False,
        env={**os.environ, "COMP_WORDS": "xdpwall attach ", "COMP_CWORD": "2",
             "_XDPWALL_COMPLETE": "bash_complete", "PYTHONUTF8": "1"},
    )  # fmt: skip
    assert done.stderr == b""
    assert {"plain,lo", "plain,é"} <= set(done.stdout.decode().split("\n"))
    assert b"\xff" not in done.stdout and b"\x85" not in done.stdout
