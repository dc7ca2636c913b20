"""One data plane for each test module: creating one and loading programs costs most of a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kernel.dataplane import KernelBench
from tests.support.net.netns import Lab
from tests.support.packets.wire.bench import WireBench
from xdpwall.kernel.bpf import bpffs


@pytest.fixture(scope="module")
def bench(request: pytest.FixtureRequest) -> Iterator[KernelBench]:
    """The module's bench; every test loads its own rules."""
    folder = Path("/sys/fs/bpf") / f"xwt-{request.module.__name__.rpartition('.')[2]}"
    bpffs.ensure_mounted(folder)
    bpffs.remove_tree(folder)
    with KernelBench(folder) as made:
        yield made
    bpffs.remove_tree(folder)


@pytest.fixture(scope="module")
def wire(request: pytest.FixtureRequest) -> Iterator[WireBench]:
    """The module's programs on real cables."""
    lab = Lab(request.module.__name__)
    lab.clean()
    with WireBench(lab, lab.bpffs / "wire") as made:
        yield made
    lab.clean()
