"""Which interfaces a selector means."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdpwall.rule.iface_selector import matches
from xdpwall.ruleset.attachment_pattern import (
    AttachmentPattern,
    parse_patterns,
    patterns_to_json,
)


@pytest.mark.parametrize(
    ("selector", "name", "master", "meant"),
    [
        ("veth*", "veth", None, True),
        ("veth*", "veth0", "br0", True),
        ("veth*", "xveth0", None, False),
        ("*", "lo", None, True),
        ("e*0*s", "enp0s", None, True),
        ("a*a", "a", None, False),
        ("a*b*c", "abbc", None, True),
        ("eth0", "eth0", None, True),
        ("eth0", "eth01", None, False),
        ("a.b", "axb", None, False),
        ("ports:br0", "veth0", "br0", True),
        ("ports:br0", "br0", None, False),
        ("ports:br0", "veth0", "br1", False),
    ],
)
def test_what_is_meant(selector: str, name: str, master: str | None, meant: bool) -> None:
    assert matches(selector, name, master) is meant


@given(st.text("ab*", min_size=1, max_size=15), st.text("ab", min_size=1, max_size=15))
def test_it_means_what_a_shell_means(selector: str, name: str) -> None:
    assert matches(selector, name, None) is fnmatch.fnmatchcase(name, selector)


def test_it_is_read_back_as_it_was_written() -> None:
    wanted = (
        AttachmentPattern("veth*", "xdp", "native", "2026-12-01T12:00:00Z", frozenset({"veth1"})),
        AttachmentPattern("ppp0", "tc-egress", None, "2026-12-01T12:00:00Z"),
    )
    assert parse_patterns(patterns_to_json(wanted)) == wanted
