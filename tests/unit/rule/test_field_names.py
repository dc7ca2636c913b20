"""Whatever knows a rule's fields knows the same ones, in the same order."""

from __future__ import annotations

from xdpwall.api.openapi.words import FIELD_NOTES
from xdpwall.rule.field_names import READ_ONLY_FIELDS, RULE_FIELDS
from xdpwall.rule.fields import PARSERS
from xdpwall.rule.rule import Rule
from xdpwall.rule.sentence_words import BARE, VALUED
from xdpwall.views.rules import RuleView


def test_models_have_these_fields() -> None:
    assert tuple(Rule.model_fields) == RULE_FIELDS
    assert tuple(RuleView.model_fields) == RULE_FIELDS + READ_ONLY_FIELDS


def test_parsers_and_clauses_are_about_these_fields() -> None:
    assert {*PARSERS, "icmp_type", "icmp_code"} == set(RULE_FIELDS)
    assert set(FIELD_NOTES) < set(RULE_FIELDS)
    said = {field for field, _ in (*VALUED.values(), *BARE.values())}
    in_front = {"action", "proto", "icmp_type", "icmp_code"}
    assert said | in_front | {"id"} == set(RULE_FIELDS)
