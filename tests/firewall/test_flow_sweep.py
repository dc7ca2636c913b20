"""The service sweeps the flow table: places of flows that are over are free again, though nobody asks."""

from __future__ import annotations

import pytest

from tests.firewall.support import Site, dataplane_of, rules
from tests.support.net.netns import wait_for
from xdpwall.changes import tidier
from xdpwall.dataplane.flow_table import FAMILIES, FlowTable


def test_flows_that_are_over_leave_their_places(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidier, "SWEEP", 0.05)
    with site.open(service=True) as firewall:
        firewall.add_rules(rules("accept tcp/22 keep"))
        dataplane = dataplane_of(firewall)
        table = FlowTable(dataplane.map_set.maps)
        now = table._now(dataplane.control.jiffies())
        for family in FAMILIES:
            for place, deadline in ((7, now - 5), (20, now + 1000)):
                table._flows(family)["rest"]["deadline"][place] = deadline & 0xFFFFFFFF
                table._words(family)[place] = 9 << 16 | deadline & 0xFFFF
        words = {family: table._words(family) for family in FAMILIES}
        wait_for(lambda: not any(one[7] for one in words.values()), "the sweep")
        assert all(one[20] for one in words.values()), "that one is live"
