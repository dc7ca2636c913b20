"""A list that would take a set's entries away unasked is refused; an explicit one is obeyed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.firewall.support import Site, rules
from xdpwall.errors import Refused
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.sets.content import SetContent
from xdpwall.sets.entries import Entries

HELD = Entries.of(["10.9.0.0/24", "192.0.2.1", "192.0.2.2", "2001:db8::1"])
TABLE = [
    # entries that come, allow_empty, most_shrink, the refusal's code
    (0, False, None, "set-emptied"),
    (0, False, 100, "set-emptied"),
    (0, True, None, None),
    (0, True, 100, None),
    (0, True, 99, "set-shrunk"),
    (1, False, None, None),
    (1, False, 75, None),
    (1, False, 74, "set-shrunk"),
    (3, False, 25, None),
    (3, True, 24, "set-shrunk"),
    (4, False, 0, None),
    (3, False, 0, "set-shrunk"),
]


@pytest.fixture(scope="module")
def wanted() -> dict[str, object]:
    return {"version": 1, "rules": ["drop icmp from not @friends"]}


def test_what_may_go(site: Site, wanted: dict[str, object]) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.replace_set("friends", HELD)
        firewall.add_rules(rules("drop icmp from not @friends"))
        for count, allow_empty, most, code in TABLE:
            entries = Entries.of(HELD.texts(0, count)) if count else Entries.empty()
            content = SetContent(entries, {}, allow_empty, most)
            stated = Ruleset.parse({**wanted, "sets": {"friends": content.to_json()}})
            ways: dict[str, Callable[[], object]] = {
                "set": partial(
                    firewall.replace_set,
                    "friends",
                    entries,
                    allow_empty=allow_empty,
                    most_shrink=most,
                ),
                "apply": partial(firewall.apply, stated),
                "dry run": partial(firewall.apply, stated, dry_run=True),
            }
            for way, work in ways.items():
                firewall.replace_set("friends", HELD)
                before = firewall.status().revision
                if code is None:
                    work()
                    assert firewall.set("friends").entries == (4 if way == "dry run" else count)
                    continue
                with pytest.raises(Refused) as caught:
                    work()
                assert (caught.value.code, caught.value.exit_code) == (code, 8)
                assert firewall.status().revision == before
                assert firewall.set("friends").entries == 4
                assert site.ping(1) == 1


def test_a_rule_never_meets_a_new_empty_set_under_not(
    site: Site, wanted: dict[str, object]
) -> None:
    content = {"friends": {"entries": [], "allow_empty": False}}
    with site.open() as firewall:
        firewall.attach("veth0")
        with pytest.raises(Refused, match="everything that is not in @friends"):
            firewall.apply(Ruleset.parse({**wanted, "sets": content}))
        assert site.ping(1) == 1
        told = firewall.apply(Ruleset.parse({"version": 1, "rules": [], "sets": content}))
        assert told.warnings == ["set friends: the list holds no entry, and the set is empty"]
        explicit: Any = {"friends": {"entries": []}}
        assert firewall.apply(Ruleset.parse({**wanted, "sets": explicit})).added == ["r1"]
        assert site.ping(1) == 0


@pytest.mark.parametrize("family", ["0.0.0.0/0", "::/0"])
def test_every_address_is_warned_of(site: Site, family: str) -> None:
    with site.open() as firewall:
        right = [f"set bad: {family} is every IPv{'6' if ':' in family else '4'} address"]
        assert firewall.replace_set("bad", Entries.of([family, "::1"])).warnings == right
        assert firewall.change_set("bad", add=[family]).warnings == right
        stated = {"version": 1, "rules": [], "sets": {"bad": {"entries": [family]}}}
        assert firewall.apply(Ruleset.parse(stated)).warnings == right
        near = ["0.0.0.0", "0.0.0.0/1", "::/1", "::", "8000::/1"]
        assert firewall.replace_set("bad", Entries.of(near)).warnings == []
