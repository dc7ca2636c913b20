"""One data plane for each test module: creating one and loading programs costs most of a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kernelbench import KernelBench
from xdpwall.kernel import bpffs


@pytest.fixture(scope="module")
def bench(request: pytest.FixtureRequest) -> Iterator[KernelBench]:
    """The module's bench; every test loads its own rules."""
    folder = Path("/sys/fs/bpf") / f"xwt-{request.module.__name__.rpartition('.')[2]}"
    bpffs.ensure_mounted(folder)
    bpffs.remove_tree(folder)
    with KernelBench(folder) as made:
        yield made
    bpffs.remove_tree(folder)
