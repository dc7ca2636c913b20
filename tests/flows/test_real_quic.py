"""A download by QUIC, to a host that drops by default: one UDP flow, both ways, as long as it lasts."""

from __future__ import annotations

import filecmp
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.net.default_drop import FAMILIES, HOST, WORLD, DefaultDropHost, Family
from tests.support.net.netns import wait_for
from tests.support.net.peers import server
from tests.support.paths import ROOT
from tests.support.service.certificates import make_authority

PORT = 443
SIZE = 3_000_000
QUIC = ("env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "tests.support.net.quic")


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("quic") / "data"
    path.write_bytes(random.Random(18).randbytes(SIZE))
    return path


@pytest.fixture(scope="module")
def served(home: DefaultDropHost, content: Path) -> Iterator[DefaultDropHost]:
    """Servers in the world, and on the host, which offers it to nobody."""
    pair = make_authority(content.parent)
    files = (str(pair.certificate), str(pair.key), str(content))
    with ExitStack() as stack:
        for space in (home.world, home.host):
            log = content.parent / space.name
            log.mkdir()
            argv = (*QUIC, "serve", "::", str(PORT), *files)
            stack.enter_context(server(space, log, PORT, *argv, udp=True))
        yield home


@pytest.mark.parametrize("family", FAMILIES)
def test_a_download(served: DefaultDropHost, content: Path, tmp_path: Path, family: Family) -> None:
    served.reset()
    served.host.run(*QUIC, "fetch", WORLD[family], str(PORT), str(tmp_path / "got"))
    assert filecmp.cmp(tmp_path / "got", content, shallow=False)
    flow = served.flow(proto="udp", port=PORT)
    assert (flow["src"], flow["dst"], flow["state"]) == (HOST[family], WORLD[family], "established")
    # Datagrams of 1,200 bytes at most, and acknowledgements the other way.
    assert flow["packets"] > SIZE / 1300
    assert served.counted("established") > SIZE / 1300
    # Whoever calls from there is a stranger, and stays one.
    dropped = served.dropped()
    stranger = (*QUIC, "fetch", HOST[family], str(PORT), "/dev/null")
    with subprocess.Popen(served.world.argv(*stranger), stderr=subprocess.DEVNULL) as calling:
        wait_for(lambda: served.dropped() >= dropped + 2, "it calls, and calls again")
        calling.kill()
    assert not served.flows(**{"from": WORLD[family]})
