"""From words and flags to rules and changes; no firewall is asked."""

from __future__ import annotations

from typing import Any

import pytest

from xdpwall.cli.commands.rule_fields import FLAG_FIELDS, read_changes, read_rules, split_sentences
from xdpwall.cli.options import invocation
from xdpwall.errors import InvalidInput
from xdpwall.rule.rule import Rule


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        (["drop", "icmp", "on", "docker0"], ["drop icmp on docker0"]),
        (["drop icmp on docker0"], ["drop icmp on docker0"]),
        (["drop", "icmp", "comment", "no pings"], ['drop icmp comment "no pings"']),
        (["drop", "comment", 'say "no"'], ['drop comment "say \\"no\\""']),
        (["drop icmp", "accept tcp/22"], ["drop icmp", "accept tcp/22"]),
        (["drop", "drop"], ["drop drop"]),
        (["drop icmp", "on docker0"], ["drop icmp on docker0"]),
    ],
)
def test_words_become_sentences(words: list[str], texts: list[str]) -> None:
    assert split_sentences(words) == texts


@pytest.mark.parametrize(
    ("words", "fields", "text"),
    [
        (["drop", "icmp", "on", "docker0"], {}, "drop icmp on docker0"),
        (["drop"], {"proto": "icmp", "iface": "docker0"}, "drop icmp on docker0"),
        (["drop", "tcp"], {"dport": "443,80", "src": "!10.0.0.0/8"}, None),
        (["drop", "icmp"], {"comment": "no pings"}, 'drop icmp comment "no pings"'),
        (["drop", "icmp"], {"enabled": False}, "drop icmp disabled"),
        (["drop"], {"fragment": "false"}, "drop unfragmented"),
        (["drop"], {"vlan": "100", "ttl": "1-5"}, "drop vlan 100 ttl 1-5"),
    ],
)
def test_sentence_and_flags_are_one_rule(
    words: list[str], fields: dict[str, Any], text: str | None
) -> None:
    (rule,) = read_rules(words, fields, None)
    assert rule.text == (text or "drop tcp/80,443 from not 10.0.0.0/8")


def test_an_id_goes_into_the_rule() -> None:
    (rule,) = read_rules(["drop", "icmp"], {}, "noping")
    assert rule.id == "noping"


def test_several_sentences_are_several_rules_and_take_no_flags() -> None:
    two = ["drop icmp", "accept tcp/22"]
    assert [rule.text for rule in read_rules(two, {}, None)] == two
    for fields, rule_id in (({"iface": "lo"}, None), ({}, "x")):
        with pytest.raises(InvalidInput, match="several sentences"):
            read_rules(two, dict(fields), rule_id)


def test_a_field_given_twice_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_rules(["drop", "icmp", "on", "lo"], {"iface": "lo"}, None)
    assert caught.value.field == "iface"


@pytest.mark.parametrize(
    ("words", "fields", "unset", "changes"),
    [
        (["on", "eth1"], {}, (), {"iface": "eth1"}),
        (["accept"], {}, (), {"action": "accept"}),
        (["accept", "tcp/22"], {}, (), {"action": "accept", "proto": "tcp", "dport": "22"}),
        (["disabled"], {}, (), {"enabled": False}),
        (["comment", "so it is"], {}, (), {"comment": "so it is"}),
        ([], {"dport": "80"}, (), {"dport": "80"}),
        (["on", "eth1"], {"ttl": "3"}, ("src", "tcp-flags"), None),
    ],
)
def test_only_what_is_named_changes(
    words: list[str],
    fields: dict[str, Any],
    unset: tuple[str, ...],
    changes: dict[str, Any] | None,
) -> None:
    wanted = changes or {"iface": "eth1", "ttl": "3", "src": None, "tcp_flags": None}
    assert read_changes(words, fields, unset) == wanted


@pytest.mark.parametrize(
    ("words", "fields", "unset", "field"),
    [
        ([], {}, (), "rule"),
        ([], {}, ("colour",), "unset"),
        ([], {}, ("action",), "unset"),
        ([], {"src": "10.0.0.1"}, ("src",), "src"),
        (["from", "10.0.0.1"], {}, ("src",), "src"),
        (["drop icmp", "drop tcp"], {}, (), "rule"),
    ],
)
def test_changes_that_make_no_sense_name_their_field(
    words: list[str], fields: dict[str, Any], unset: tuple[str, ...], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_changes(words, fields, unset)
    assert caught.value.field == field


def test_an_error_in_a_sentence_without_action_points_into_what_was_typed() -> None:
    invocation.set_new()
    with pytest.raises(InvalidInput) as caught:
        read_changes(["on", "eth1", "form", "x"], {}, ())
    text = invocation.get().sentence
    assert text == "on eth1 form x"
    assert caught.value.span is not None
    assert text[slice(*caught.value.span)] == "form"
    assert "at character 9" in caught.value.message


def test_every_field_of_a_rule_has_a_flag() -> None:
    beside = {"id", "action", "enabled", "keep", "cookie", "log"}
    assert set(FLAG_FIELDS) == set(Rule.model_fields) - beside
