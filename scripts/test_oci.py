"""python -m scripts.test_oci: build the container image, run it with a host's network, and filter that host.

With a real Docker, in a network namespace of its own. Exits 1 at the first thing that is wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from scripts.oci import make_context
from scripts.test_deb import build
from tests.support.net.docker import Docker
from tests.support.net.netns import Lab, Namespace, wait_for
from tests.support.net.ping import ping

ROOT = Path(__file__).parents[1]
NEAR, FAR = "192.0.2.1", "192.0.2.2"
CAPABILITIES = {
    "000000c000001000": ("NET_ADMIN", "BPF", "PERFMON"),
    "0000000000201000": ("NET_ADMIN", "SYS_ADMIN"),
}
"""As /proc/PID/status has them -> those that the container has. The latter where Docker is too old (20.10, Debian 12's)
to know CAP_BPF."""


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.test_oci", description=__doc__)
    parser.add_argument("--deb", type=Path, help="this package; built when none is given")
    options = parser.parse_args()
    lab = Lab("test-oci")
    lab.clean()
    try:
        with tempfile.TemporaryDirectory(prefix="xdpwall-oci-", dir="/var/tmp") as folder:
            context, begun = Path(folder, "context"), time.monotonic()
            make_context(context, options.deb or build(ROOT / "dist"))
            size = (context / "root.tar").stat().st_size >> 20
            print(f"ok: a root of {size} MiB in {time.monotonic() - begun:.0f} s", flush=True)
            host, far = lab.namespace("host"), lab.namespace("far")
            lab.veth(host, "near", far, "far", address=f"{NEAR}/24", peer_address=f"{FAR}/24")
            with Docker(host, lab.tag) as docker:
                Container(docker, lab, far, Path(folder)).check(context)
    except AssertionError as error:
        print(f"FAILED: {error}")
        return 1
    finally:
        lab.clean()
    return 0


class Container:
    """xdpwall in a container with the network of `lab`'s host."""

    def __init__(self, docker: Docker, lab: Lab, far: Namespace, folder: Path) -> None:
        self._docker, self._lab, self._far = docker, lab, far
        self._state = folder / "state"
        self._state.mkdir(mode=0o700)
        self._mask = next(iter(CAPABILITIES))

    def check(self, context: Path) -> None:
        """Build, run, use, restart and remove it; AssertionError says what is wrong."""
        self._docker("build", "--quiet", "--tag", "xdpwall", str(context))
        begun = time.monotonic()
        self.run()
        print(f"ok: it serves, {time.monotonic() - begun:.0f} s after `docker run`", flush=True)
        capabilities = self._docker("exec", "xdpwall", "cat", "/proc/1/status")
        found = [line.split()[1] for line in capabilities.splitlines() if line.startswith("CapEff")]
        self.is_so(f"it has {', '.join(CAPABILITIES[self._mask])} alone", found == [self._mask])
        self.is_so("a ping is answered", self.answered())
        self.xdpwall("attach", "near")
        self.xdpwall("rule", "add", "drop icmp", "--id", "noping")
        self.is_so("a ping is dropped", not self.answered())
        told = json.loads(self.xdpwall("status", "-o", "json"))
        self.is_so("the command goes through the service", told["service"] is True)
        self._docker("restart", "xdpwall")
        self.wait_until_it_serves()
        self.is_so("a ping is dropped after a restart", not self.answered())
        self._docker("rm", "--force", "xdpwall")
        self.is_so("a ping is dropped without it", not self.answered())
        self.run()
        self.is_so(
            "another takes over: its rule is there", "noping" in self.xdpwall("rule", "list")
        )
        self.xdpwall("detach", "near")
        self.is_so("a ping is answered after `detach`", self.answered())
        self._docker("rm", "--force", "xdpwall")

    def run(self) -> None:
        """`docker run`, as docs/guides/container.md says it, with folders of this test."""
        try:
            self._run()
        except AssertionError as error:
            if 'unknown capability: "CAP_BPF"' not in str(error):
                raise
            self._mask = list(CAPABILITIES)[-1]
            self._run()
        self.wait_until_it_serves()

    def _run(self) -> None:
        added = [word for one in CAPABILITIES[self._mask] for word in ("--cap-add", one)]
        self._docker(
            "run", "--detach", "--name", "xdpwall", "--network", "host",
            "--cap-drop", "ALL", *added, "--security-opt", "no-new-privileges", "--read-only",
            "--tmpfs", "/run/xdpwall:mode=0755",
            "--volume", f"{self._lab.bpffs}:/sys/fs/bpf",
            "--volume", f"{self._state}:/var/lib/xdpwall",
            "xdpwall",
        )  # fmt: skip

    def wait_until_it_serves(self) -> None:
        """Wait until a command goes through the service."""
        wait_for(
            self._answers,
            "the service in the container answers",
            timeout=300,
            every=0.5,
        )

    def _answers(self) -> bool:
        try:
            return '"service": true' in self.xdpwall("status", "-o", "json")
        except AssertionError:
            return False

    def xdpwall(self, *words: str) -> str:
        """Run a command in the container; its output."""
        return self._docker("exec", "xdpwall", "xdpwall", *words)

    def answered(self) -> bool:
        """Whether a ping from the other end of the cable is answered."""
        return ping(self._far, NEAR, over=("far", NEAR)) == 1

    @staticmethod
    def is_so(words: str, so: bool) -> None:
        """Say that it is, or AssertionError."""
        assert so, words
        print(f"ok: {words}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
