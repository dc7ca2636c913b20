"""What a command may import: pinned, since that is what its start costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.support import Instance, clean_environment
from tests.support.paths import ROOT

HEAVY = {"fastapi", "uvicorn", "starlette", "pyroute2", "numpy", "pydantic", "ruamel", "anyio"}
_PROBE = """
import sys
from xdpwall.cli.main import cli
try:
    cli.main(sys.argv[1:])
finally:
    names = {name.partition(".")[0] for name in sys.modules}
    names |= {name for name in sys.modules if name.startswith("xdpwall.")}
    print("MODULES", *sorted(names), file=sys.stderr)
"""


def modules(instance: Instance, *args: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, *args],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=clean_environment(**instance.env),
    )
    line = next(line for line in done.stderr.splitlines() if line.startswith("MODULES "))
    return set(line.split()[1:])


@pytest.fixture
def away(tmp_path: Path) -> Instance:
    return Instance(tmp_path / "state", tmp_path / "bpffs", tmp_path / "socket")


@pytest.mark.parametrize(
    "args",
    [
        ("--help",),
        ("version",),
        ("rule", "--help"),
        ("attach", "--help"),
        ("completion", "bash"),
        ("rule", "lst"),
    ],
    ids=" ".join,
)
def test_words_alone_import_nothing_heavy(away: Instance, args: tuple[str, ...]) -> None:
    loaded = modules(away, *args)
    assert not loaded & HEAVY
    assert "xdpwall.rule.rule" not in loaded


def test_help_imports_no_command(away: Instance) -> None:
    loaded = modules(away, "--help")
    assert not any(name.startswith("xdpwall.cli.commands.") for name in loaded)


def test_a_sentence_is_read_without_service_kernel_or_yaml(away: Instance) -> None:
    loaded = modules(away, "rule", "add", "drop", "icmp", "form", "x")
    assert "xdpwall.rule.sentence_read" in loaded
    assert not loaded & (HEAVY - {"pydantic"})


def test_listing_rules_imports_neither_models_nor_service_nor_netlink(direct: Instance) -> None:
    direct.done("rule", "add", "drop", "icmp")
    loaded = modules(direct, "rule", "list")
    assert not loaded & {*HEAVY, "http", "email"}
    assert not {"xdpwall.firewall.firewall", "xdpwall.views.base", "xdpwall.store.store"} & loaded


def test_reading_what_no_kernel_has_imports_no_numpy(direct: Instance) -> None:
    assert "xdpwall.firewall.firewall" in modules(direct, "export")
    assert "numpy" not in modules(direct, "export") | modules(direct, "rule", "list")


def test_through_the_service_the_kernel_is_not_imported(served: Instance) -> None:
    served.done("rule", "add", "drop", "icmp")
    loaded = modules(served, "rule", "list")
    assert not loaded & {*HEAVY, "http", "email"}
    assert (
        not {"xdpwall.firewall.firewall", "xdpwall.views.base", "xdpwall.kernel.bpf.maps"} & loaded
    )
