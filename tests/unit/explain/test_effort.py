"""Near rules are looked for as long as that takes no long time."""

from __future__ import annotations

from xdpwall.explain.near_miss import Effort


def test_effort_ends() -> None:
    effort = Effort(100)
    assert effort.take(60) and effort.take(40)
    assert not effort.take(1)
