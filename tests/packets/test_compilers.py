"""What a later clang makes of the programs loads, too: it drops masks by which the verifier knows bounds.

`make test-compilers` has all programs and more versions.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kernel.dataplane import NUMBERS, KernelBench
from tests.support.kernel.kinds import FEW
from tests.support.net.netns import command
from tests.support.paths import ROOT
from xdpwall.abi import Feature
from xdpwall.dataplane import explaining, program_loader
from xdpwall.kernel.bpf import bpffs

CLANG = "clang-19"
"""Debian 13's."""
OBJECTS = ("xdp", "xdp_cookies_flows_rated", "explain_tc")
"""One with a copy of the classifier for each kind of ruleset, one with all features, one that explains."""


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with objects of that compiler."""
    folder = tmp_path_factory.mktemp("bpf")
    for source in (*(ROOT / "bpf").glob("*.[ch]"), ROOT / "bpf" / "Makefile"):
        shutil.copy(source, folder)
    files = (f"{name}.bpf.o" for name in OBJECTS)
    command("make", "-s", "-C", str(folder), f"CLANG={CLANG}", *files)
    return folder


@pytest.fixture
def bench(objects: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KernelBench]:
    """A bench that loads them."""
    for module in (program_loader, explaining):
        monkeypatch.setattr(module, "object_path", lambda name: objects / f"{name}.bpf.o")
    folder = Path("/sys/fs/bpf/xwt-compilers")
    bpffs.remove_tree(folder)
    with KernelBench(folder) as made:
        yield made
    bpffs.remove_tree(folder)


def test_each_kind_loads(bench: KernelBench) -> None:
    bench.load(["drop tcp/80"])
    for features in (
        *FEW,
        Feature(sum(Feature)) & ~(Feature.FLOWS | Feature.RATES | Feature.COOKIES),
    ):
        bench.dataplane.programs.load("xdp", NUMBERS["xdp"], features=features).close()


def test_every_feature_loads(bench: KernelBench) -> None:
    bench.load(["accept tcp/443 cookie"])
    every = Feature(sum(Feature))
    bench.dataplane.programs.load("xdp", NUMBERS["xdp"], frags=True, features=every).close()


def test_the_explaining_program_loads(bench: KernelBench) -> None:
    bench.load(["drop tcp/80"])
    bench.dataplane.programs.load_explainer("tc").close()
