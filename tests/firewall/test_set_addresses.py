"""The table of IPv4 addresses in use: full buckets, and what was taken out of them."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from tests.firewall.support import Site, dataplane_of, in_kernel, rules
from tests.support.packets.frames import ether, ipv4, udp
from xdpwall.dataplane.set_hash4 import bucket_count
from xdpwall.kernel.bpf.programs import Program
from xdpwall.kernel.net.xdp import xdp_query
from xdpwall.sets.entries import Entries

XDP_DROP = 1


def test_addresses_of_one_bucket(site: Site) -> None:
    """More than a bucket has words for: the rest is found elsewhere, at each step."""
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.create_set("bad")
        firewall.add_rules(rules("drop from @bad"))
        dataplane = dataplane_of(firewall)
        firewall.change_set("bad", add=["0.0.0.0"])  # makes room for a thousand
        count = bucket_count(dataplane.map_set.sizes.set4)
        factor = dataplane.map_set.addresses.factor
        alike = [n << 8 | 7 for n in range(200_000) if _bucket(n << 8 | 7, count, factor) == 3][:30]
        texts = [str(IPv4Address(number)) for number in alike]
        frames = {text: ether(ipv4(udp(), src=text)) for text in texts}

        def dropped() -> list[str]:
            number = xdp_query(site.host.index("veth0")).ids[0]
            with Program.open_id(number) as program:
                return [t for t in texts if program.test_run(frames[t]).retval == XDP_DROP]

        assert dropped() == []
        for end in range(1, 21):
            firewall.change_set("bad", add=[texts[end - 1]])
            assert dropped() == texts[:end]
        firewall.change_set("bad", remove=texts[2:5] + texts[12:15])
        assert dropped() == texts[:2] + texts[5:12] + texts[15:20]
        firewall.change_set("bad", add=texts[20:], remove=texts[:2])
        assert dropped() == texts[5:12] + texts[15:]
        firewall.replace_set("bad", Entries.of(texts[::3]))
        assert dropped() == texts[::3]
        assert dataplane.map_set.sizes.set4 == 1024


def _bucket(address: int, count: int, factor: int) -> int:
    in_packets = int.from_bytes(address.to_bytes(4, "big"), "little")
    return (in_packets * factor >> 32) % count


@pytest.mark.parametrize(("first", "then"), [(5000, 3000), (700, 300)])
def test_a_worn_table_is_copied(site: Site, first: int, then: int) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.create_set("bad")
        firewall.add_rules(rules("drop icmp from @bad"))
        firewall.replace_set("bad", Entries.of(f"10.1.{i >> 8}.{i & 255}" for i in range(first)))
        dataplane = dataplane_of(firewall)
        before = dataplane.map_set.maps["set4"].info
        kept = ["10.9.0.2", *(f"10.2.{i >> 8}.{i & 255}" for i in range(then))]
        firewall.replace_set("bad", Entries.of(kept))
        after = dataplane.map_set.maps["set4"].info
        assert after.id != before.id and after.value_size == before.value_size
        assert not dataplane.map_set.addresses.worn
        assert in_kernel(dataplane)["v4"] == len(kept)
        assert site.ping(1) == 0
        firewall.change_set("bad", remove=["10.9.0.2"])
        assert site.ping(1) == 1
