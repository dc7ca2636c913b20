"""The generated pages of docs/reference are what the code says."""

from __future__ import annotations

import re

import pytest

from scripts.reference.error_sites import error_sites
from scripts.reference.pages import PAGES, REFERENCE
from tests.support.paths import ROOT
from xdpwall.cli.commands.rule_fields import FLAG_FIELDS
from xdpwall.cli.reference import reference_page
from xdpwall.rule.field_names import RULE_FIELDS

COMPARED = re.compile(r"""(?:code|\["code"\])\s*==\s*"([a-z]+(?:-[a-z]+)+)\"""")
"""A code in a test: `error.code == "no-native"`."""


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_up_to_date(name: str) -> None:
    assert (REFERENCE / name).read_text("utf-8") == PAGES[name](), (
        "run: python -m scripts.reference"
    )


def test_every_code_that_a_test_has_met_has_its_entry() -> None:
    told = {one.code for one in error_sites()}
    met = {
        code
        for path in (ROOT / "tests").rglob("*.py")
        for code in COMPARED.findall(path.read_text("utf-8"))
    }
    assert len(met) > 40
    assert met - told == set()


def test_every_field_has_its_section() -> None:
    text = (REFERENCE / "rule-fields.md").read_text("utf-8")
    heads = set(re.findall(r"^## (\w+)$", text, re.MULTILINE))
    assert heads >= set(RULE_FIELDS) >= set(FLAG_FIELDS)


def test_the_command_line_has_every_command_and_no_hidden_one() -> None:
    heads = [line[3:] for line in reference_page().splitlines() if line.startswith("## ")]
    assert {"xdpwall", "xdpwall rule add", "xdpwall policy set", "xdpwall doctor"} <= set(heads)
    assert "xdpwall top" not in heads
    assert len(heads) == len(set(heads))
