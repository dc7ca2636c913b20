"""python -m scripts.test_machines: what the Vagrantfile does, without a hypervisor.

Vagrant itself checks the file (Debian's package); then the provisioning of both machines runs in bare Debian roots,
and the demonstration on an eth1 that is a cable to the client. Exits 1 at the first thing that is wrong.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.debian.bare_root import BareRoot

ROOT = Path(__file__).parents[1]
SUITE = "bookworm"
LAST_WORDS = "== eth1 is filtered, and every packet passes: there is no rule yet"
_NO_SERVICES = "#!/bin/sh\nexit 101\n"
"""Debian's policy-rc.d: what is installed in a root starts nothing on this machine."""
_CABLE = """
mkdir -p /run/netns
ip netns add client
ip link add eth1 type veth peer name eth1 netns client
ip addr add 192.168.56.10/24 dev eth1
ip -n client addr add 192.168.56.11/24 dev eth1
ip link set eth1 up
ip -n client link set eth1 up
exec /srv/xdpwall/scripts/machines/demonstrate eth1 192.168.56.11
"""


def main() -> int:
    """The exit code."""
    validate()
    print("ok: vagrant validate", flush=True)
    try:
        with bare() as client:
            provision(client, "client")
            print("ok: client", flush=True)
        with bare() as wall:
            clone(wall)
            provision(wall, "wall")
            print("ok: wall", flush=True)
            said = wall.run("sh", "-ec", _CABLE, alone=True)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    print(said)
    return 0 if LAST_WORDS in said.splitlines() else 1  # stderr's words come after


def validate() -> None:
    """CalledProcessError where vagrant does not take the file; providers are not asked for."""
    with tempfile.TemporaryDirectory(prefix="xdpwall-vagrant-") as home:
        subprocess.run(
            ["vagrant", "validate", "--ignore-provider"], cwd=ROOT, check=True,
            env={**os.environ, "VAGRANT_HOME": home, "VAGRANT_CHECKPOINT_DISABLE": "1"},
            stdout=subprocess.DEVNULL,
        )  # fmt: skip


def bare() -> BareRoot:
    """A root like a box without anything, in which no service is started."""
    root = BareRoot.unpacked(SUITE)
    policy = root.folder / "usr/sbin/policy-rc.d"
    policy.write_text(_NO_SERVICES, encoding="ascii")
    policy.chmod(0o755)
    return root


def clone(root: BareRoot) -> None:
    """The last commit as the synced folder."""
    target = root.folder / "srv" / "xdpwall"
    subprocess.run(
        ["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(target)], check=True
    )


def provision(root: BareRoot, name: str) -> None:
    """Run the machine's script as vagrant does: a copy below /tmp."""
    root.put(ROOT / "scripts" / "machines" / name, f"/tmp/{name}", 0o755)
    root.run(f"/tmp/{name}")


if __name__ == "__main__":
    sys.exit(main())
