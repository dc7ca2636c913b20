"""Which flows a filter means, and what becomes of flows when their interfaces are detached."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.firewall.support import Site, rules
from tests.support.net.ping import ping
from xdpwall.errors import InvalidInput
from xdpwall.firewall.firewall import Firewall
from xdpwall.views.flows import FlowView, parse_flow_filter


@pytest.fixture
def keeping(site6: Site) -> Iterator[Firewall]:
    """Both directions of veth0 are attached, and pings make flows."""
    with site6.open() as firewall:
        firewall.attach("veth0")
        firewall.attach("veth0", hook="tc", direction="egress")
        firewall.add_rules(rules("accept icmp keep", "accept icmpv6/echo-request keep"))
        yield firewall


def found(firewall: Firewall, **wanted: str) -> list[FlowView]:
    return firewall.flows(parse_flow_filter(**wanted)).flows


def test_an_echos_identifier_is_no_port(keeping: Firewall, site6: Site) -> None:
    assert site6.ping(1) == 1
    (flow,) = found(keeping)
    assert flow.ident
    assert found(keeping, port=str(flow.ident)) == [] and found(keeping, port="0") == []
    assert keeping.flush_flows(parse_flow_filter(port=str(flow.ident))).flushed == 0
    assert len(found(keeping)) == 1


def test_the_interface_behind_a_link_local_address(keeping: Firewall, site6: Site) -> None:
    address = "fe80::1"
    site6.host.ip(f"addr add {address}/64 dev veth0 nodad")
    site6.box.ip("addr add fe80::2/64 dev eth0 nodad")
    index = site6.box.ip("-o link show dev eth0").split(":")[0]
    assert ping(site6.box, f"{address}%{index}") == 1
    (flow,) = found(keeping, dst=address)
    assert (flow.dst, flow.iface) == (address, "veth0")
    for scope, count in (("veth0", 1), ("lo", 0)):
        assert len(found(keeping, dst=f"{address}%{scope}")) == count
        assert len(found(keeping, dst=f"fe80::%{scope}/64")) == count
        assert len(found(keeping, src=f"fe80::%{scope}/64")) == count
    assert found(keeping, src="fe80::%lo/64", dst="fe80::%veth0/64") == []
    assert len(found(keeping, src="fe80::%veth0/64", dst="fe80::%veth0/64")) == 1
    assert keeping.flush_flows(parse_flow_filter(dst=f"{address}%lo")).flushed == 0
    assert keeping.flush_flows(parse_flow_filter(dst=f"{address}%veth0")).flushed == 1
    # As flows of an interface are listed that is gone.
    assert found(keeping, dst=f"{address}%#999999") == []
    with pytest.raises(InvalidInput) as refused:
        found(keeping, dst=f"{address}%nowhere")
    assert refused.value.field == "to" and "nowhere" in str(refused.value)


@pytest.mark.parametrize(
    ("hook", "direction", "left"), [("tc", "egress", "ingress"), ("xdp", "ingress", "egress")]
)
def test_a_detach_that_leaves_one_direction_says_so(
    keeping: Firewall, hook: str, direction: str, left: str
) -> None:
    (warning,) = keeping.detach("veth0", hook=hook, direction=direction).warnings  # type: ignore[arg-type]
    assert f"veth0: flows are seen by its {left} alone" in warning
    assert keeping.detach("veth0").warnings == []


def test_a_detach_says_nothing_of_flows_where_none_are_in_use(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.attach("veth0", hook="tc", direction="egress")
        assert firewall.detach("veth0", hook="tc").warnings == []


def test_flows_outlive_a_detach_but_not_of_all(keeping: Firewall, site6: Site) -> None:
    assert site6.ping(1) == 1
    keeping.detach("veth0")
    assert len(found(keeping)) == 1
    keeping.attach("veth0")
    keeping.detach(None, hook="tc")
    assert len(found(keeping)) == 1
    assert keeping.detach(None).detached == ["veth0 xdp"]
    assert found(keeping) == []
