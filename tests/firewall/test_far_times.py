"""Times beyond what 64 bits of nanoseconds hold, and times that are over, wherever a time is given."""

from __future__ import annotations

import numpy as np
import pytest

from tests.firewall.support import Site, dataplane_of, rules
from xdpwall.errors import InvalidInput
from xdpwall.firewall.firewall import Firewall
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.sets.entries import Entries

FAR = (
    "2554-07-21T23:34:33Z",  # the last second of 64 bits since 1970
    "2554-07-21T23:34:34Z",
    "2555-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
)
OVER = (
    "0001-01-01T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "1970-01-01T00:00:00Z",
    "2020-01-01T00:00:00Z",
)


@pytest.mark.parametrize("hook", ["xdp", "tc"])
def test_far_times_are_kept_as_given_and_never_come(site: Site, hook: str) -> None:
    with site.open() as firewall:
        firewall.attach("veth0", hook=hook)  # type: ignore[arg-type]
        for moment in FAR:
            firewall.apply(Ruleset.parse({"version": 1, "rules": [], "sets": {}}))
            assert firewall.add_rules(rules(f"drop icmp until {moment}")).warnings == []
            assert firewall.rules().rules[0].expires == moment
            assert site.ping(1) == 0, moment
            timed = {"entry": "10.9.0.0/24", "expires": moment}
            for content in ([timed], [{**timed, "entry": "10.9.0.2"}, timed]):
                stated = {
                    "version": 1,
                    "rules": ["drop icmp from @bad"],
                    "sets": {"bad": {"entries": content}},
                }
                assert firewall.apply(Ruleset.parse(stated)).sets_removed == []
                assert firewall.set("bad").next_expiry == moment
                assert site.ping(1) == 0, moment
            firewall.replace_set("bad", Entries.of(["192.0.2.1"]))
            assert site.ping(1) == 1
            assert firewall.change_set("bad", add=["10.9.0.2"], expires=moment).warnings == []
            assert firewall.test_set("bad", "10.9.0.2").expires == moment
            assert site.ping(1) == 0, moment
        _, exported = firewall.ruleset(sets=True)
        assert exported.to_json()["sets"]["bad"]["entries"][0]["expires"] == FAR[-1]
        maps = firewall._instance.sets.maps(dataplane_of(firewall))
        assert int(np.max(maps.classes["expires"])) == (1 << 64) - 1
    with site.open() as firewall:  # the next process reads and compiles the same
        firewall.add_rules(rules(f"count tcp until {FAR[-1]}"))
        assert site.ping(1) == 0


def test_a_time_that_is_over_is_added_with_a_warning(site: Site, firewall: Firewall) -> None:
    firewall.attach("veth0")
    firewall.create_set("bad")
    firewall.add_rules(rules("drop icmp from @bad"))
    for number, moment in enumerate(OVER):
        rule = Rule.parse({"text": "drop icmp", "id": f"over{number}", "expires": moment})
        assert any("is over" in text for text in firewall.advise(rule))
        outcome = firewall.add_rules([rule])
        assert [text for text in outcome.warnings if "is over" in text] == [
            f"rule over{number}: its time, {moment}, is over: it matches no packet"
        ]
        assert firewall.rule(f"over{number}").expired
        firewall.replace_set("bad", Entries.of(["10.9.0.2"]))
        assert site.ping(1) == 0
        changed = firewall.change_set("bad", add=["10.9.0.2"], expires=moment)
        assert (changed.added, changed.entries) == (1, 0)
        assert any(f"{moment} is over" in text for text in changed.warnings)
        assert site.ping(1) == 1, moment
        timeouts = {"10.9.0.2": moment}
        entries = Entries.of(["10.9.0.2", "192.0.2.1"])
        replaced = firewall.replace_set("bad", entries, timeouts=timeouts)
        assert (replaced.set.entries, replaced.warnings) == (
            1, ["set bad: 1 entries are left out: their time is over"],
        )  # fmt: skip
        assert site.ping(1) == 1, moment


@pytest.mark.parametrize(
    "moment",
    [
        "10000-01-01T00:00:00Z",
        "+12026-01-01T00:00:00Z",
        "9999-12-31T23:59:59-01:00",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
    ],
)
def test_years_that_no_format_holds_are_refused_by_field(firewall: Firewall, moment: str) -> None:
    firewall.create_set("bad")
    for field, work in (
        ("expires", lambda: Rule.parse({"action": "drop", "expires": moment})),
        ("expires", lambda: Rule.parse({"text": f"drop tcp until {moment}"})),
        ("expires", lambda: firewall.change_set("bad", add=["::1"], expires=moment)),
        (
            "sets.bad.entries[0].expires",
            lambda: Ruleset.parse(
                {"version": 1, "rules": [], "sets": {"bad": {"entries": [{"entry": "::1", "expires": moment}]}}}
            ),
        ),
    ):  # fmt: skip
        with pytest.raises(InvalidInput) as caught:
            work()
        assert caught.value.field == field and "wanted a time" in caught.value.message
