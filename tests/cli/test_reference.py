"""docs/reference/cli.md is what the command tree says."""

from __future__ import annotations

from xdpwall.cli.reference import TARGET, reference_page


def test_the_page_is_up_to_date() -> None:
    written = TARGET.read_text(encoding="utf-8")
    assert written == reference_page(), "run: python -m xdpwall.cli.reference"


def test_the_page_has_every_command_and_no_hidden_one() -> None:
    heads = [line[3:] for line in reference_page().splitlines() if line.startswith("## ")]
    assert {"xdpwall", "xdpwall rule add", "xdpwall policy set", "xdpwall doctor"} <= set(heads)
    assert "xdpwall top" not in heads
    assert len(heads) == len(set(heads))
