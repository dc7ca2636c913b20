"""What trace needs and does not find, it names; everything else works on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.support import Instance
from tests.support.net.netns import Lab
from xdpwall.errors import Failed, Unsupported
from xdpwall.trace import bcc_process
from xdpwall.trace.bcc_process import BccProcess

WITHOUT = [
    "unshare",
    "-m",
    "sh",
    "-c",
    'mount --bind "$0" /usr/lib/python3/dist-packages && exec "$@"',
]
"""In front of a command line, with an empty folder: the system's Python has no packages."""


@pytest.fixture
def here(tmp_path: Path, lab: Lab) -> Instance:
    """No instance: nothing is attached."""
    space = lab.namespace("host")
    return Instance(tmp_path / "state", lab.bpffs / "xdpwall", tmp_path / "sock", space)


def test_without_bcc_it_says_what_to_install(here: Instance, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    done = here.run("trace", "--seconds", "1", wrap=[*WITHOUT, str(empty)])
    assert done.returncode == 6
    assert done.stdout == ""
    error, hint = done.stderr.splitlines()
    assert error == "error: BCC for Python is not installed, and tracing needs it"
    assert hint.startswith("hint: apt-get install python3-bpfcc")
    assert not here.state_dir.exists()


def test_a_namesake_of_bcc_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bcc.py").write_text("class Lattice: ...\n")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nshift\nPYTHONPATH={tmp_path} exec /usr/bin/python3 "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(bcc_process, "SYSTEM_PYTHON", str(python))
    with pytest.raises(Unsupported) as caught:
        BccProcess(source="", python=str(python))
    assert caught.value.code == "no-bcc"
    assert "lattice" in str(caught.value.detail)


def test_no_python_at_all() -> None:
    with pytest.raises(Unsupported, match="BCC for Python is not installed"):
        BccProcess(source="", python="/nothing/here")


def test_what_the_compiler_says_is_in_the_detail() -> None:
    with pytest.raises(Failed) as caught:
        BccProcess(source="int f(void) { return nonsense; }", python=bcc_process.SYSTEM_PYTHON)
    assert caught.value.code == "bcc-failed"
    assert "undeclared identifier 'nonsense'" in str(caught.value.detail)


def test_without_an_instance_it_traces_the_kernel(here: Instance) -> None:
    done = here.run("trace", "--seconds", "0.2", "--src", "192.0.2.1", "-o", "json")
    assert (done.returncode, done.stdout) == (0, "")
    assert "warning" not in done.stderr
    assert not here.state_dir.exists()


def test_an_instance_of_another_namespace_is_told_and_the_kernel_traced(
    here: Instance, lab: Lab
) -> None:
    assert here.space is not None
    lab.bridge(here.space, "br0")
    with here.space.inside():
        here.done("attach", "br0", "--hook", "tc")
    other = Instance(here.state_dir, here.bpffs, here.socket, lab.namespace("other"))
    done = other.run("trace", "--seconds", "0.2", "--src", "192.0.2.1")
    assert done.returncode == 0
    assert "warning: rules are not told apart from the kernel: this instance" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--dport http", "dport: 'http' is not a number"),
        ("--src 10.0.0.1/8", "src: '10.0.0.1/8' has host bits set"),
        ("--reason nonsense", "reason: 'nonsense' is no drop reason of this kernel"),
        ("--seconds 0", "invalid value for '--seconds'"),
    ],
)
def test_bad_input_is_refused_before_anything_starts(here: Instance, words: str, said: str) -> None:
    result = here.here("trace", *words.split())
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {said}")


def test_the_reasons_of_this_kernel(here: Instance) -> None:
    names = here.here("trace", "--reasons").stdout.split()
    assert {"NETFILTER_DROP", "NO_SOCKET", "XDP", "TC_INGRESS"} <= set(names)
    assert not {"SKB_CONSUMED", "CONSUMED", "MAX"} & set(names)
    assert here.json("trace", "--reasons") == names
