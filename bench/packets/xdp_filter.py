"""Load Debian's xdp-filter with n sources blocked, and open its program.

The command pins maps under fixed names in /sys/fs/bpf, so each instance gets a mount namespace with
a bpffs of its own: the machine's is not touched, and several tables exist at once.
"""

from __future__ import annotations

import ipaddress
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.packets.rulesets import Family, source
from tests.support.net.netns import Namespace
from xdpwall.kernel.bpf.maps import Map
from xdpwall.kernel.bpf.programs import Program
from xdpwall.kernel.net.xdp import xdp_query

_SCRIPT = """
set -e
mount -t bpf bpf /sys/fs/bpf
xdp-filter load -f "$1" "$2"
shift 2
for address; do xdp-filter ip -m src "$address"; done
echo ready
read -r end || true
"""
_TABLES: Mapping[Family, str] = {"ipv4": "filter_ipv4", "ipv6": "filter_ipv6"}


class XdpFilterFailed(Exception):
    """xdp-filter could not be loaded."""


@contextmanager
def xdp_filter(
    space: Namespace, iface: str, features: str, counts: Mapping[Family, int]
) -> Iterator[Program]:
    """Load xdp-filter on a new veth `iface`, blocking the sources of the first n rules of each family.

    The command itself blocks the first source; the others get the same value in the same map, as
    one more command each would write it.
    """
    space.ip(f"link add {iface} type veth peer name {iface}p")
    for name in (iface, f"{iface}p"):
        space.ip(f"link set {name} up")
    wanted = {family: [source(i, family) for i in range(n)] for family, n in counts.items() if n}
    first = [addresses[0] for addresses in wanted.values()]
    process = subprocess.Popen(
        space.argv("unshare", "--mount", "sh", "-c", _SCRIPT, "sh", features, iface, *first),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        said = []
        for line in process.stdout:
            if line == "ready\n":
                break
            said.append(line)
        else:
            raise XdpFilterFailed(f"xdp-filter -f {features} on {iface}:\n{''.join(said)}")
        pins = Path(f"/proc/{process.pid}/root/sys/fs/bpf/xdp-filter")
        for family, addresses in wanted.items():
            with Map.open_pinned(pins / _TABLES[family]) as table:
                _fill(table, addresses)
        with space.inside():
            state = xdp_query(space.index(iface))
        with Program.open_id(state.ids[0]) as program:
            yield program
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def _fill(table: Map, addresses: Sequence[str]) -> None:
    keys = [ipaddress.ip_address(address).packed for address in addresses]
    value = table.lookup(keys[0])
    if value is None:
        raise XdpFilterFailed(f"{addresses[0]} is not in the map that xdp-filter wrote")
    for key in keys[1:]:
        table.update(key, value)
