"""Whatever goes in: what is read comes back the same, and garbage is refused by one error."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.rules import rule_objects, rules, rulesets
from xdpwall.errors import InvalidInput
from xdpwall.formats.ruleset_file import dump_ruleset, load_ruleset
from xdpwall.formats.yaml_fast import read_yaml_fast
from xdpwall.formats.yaml_file import compose_yaml
from xdpwall.rule.field_names import RULE_FIELDS
from xdpwall.rule.match import Match, match_of
from xdpwall.rule.rule import Rule
from xdpwall.rule.sentence_read import join_words, split_words
from xdpwall.rule.sentence_words import CLAUSES
from xdpwall.ruleset.attachment import AttachmentSpec
from xdpwall.ruleset.index import RuleEntry
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.store.revision_delta import row_of

SETTINGS = settings(max_examples=200, deadline=None)
ANYTHING = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.binary()
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
WORDS = st.sampled_from(
    [
        *CLAUSES,
        *("drop", "accept", "not", "tcp/22", "icmp/8/0", "proto", "6", "10.0.0.0/8", "::1", "!"),
        *('"', '"a b"', "first", "none", "10m", "log", "@x", "syn/syn", "eth0", "\\", "/"),
    ]
)


@SETTINGS
@given(rules())
def test_the_text_reads_back_to_the_same_rule(rule: Rule) -> None:
    again = Rule.parse(rule.text)
    assert again == rule
    assert again.text == rule.text
    if rule.iface not in ("not", "!not") and '"' not in (rule.iface or ""):
        assert Rule.parse(join_words([word.text for word in split_words(rule.text)])) == rule


@SETTINGS
@given(rules())
def test_the_object_reads_back_to_the_same_rule(rule: Rule) -> None:
    again = Rule.parse(json.loads(json.dumps(rule.to_json())))
    assert again == rule
    assert Rule.model_validate(rule.model_dump()) == rule
    assert again.match_key() == rule.match_key()
    assert isinstance(match_of(rule), Match)


@SETTINGS
@given(rules())
def test_the_row_on_disk_is_the_object_in_json(rule: Rule) -> None:
    row = row_of(RuleEntry(rule.with_id("r1"), 3, "now"))
    assert json.loads(row.rule) == rule.with_id("r1").to_json()
    assert list(json.loads(row.rule)) == [
        name for name in RULE_FIELDS if name in json.loads(row.rule)
    ]


@SETTINGS
@given(rule_objects())
def test_clauses_stand_in_any_order(obj: dict[str, Any]) -> None:
    rule = Rule.parse(obj)
    backwards = Rule.parse(dict(reversed(obj.items())))
    assert backwards == rule


@settings(max_examples=60, deadline=None)
@given(rulesets())
def test_a_dump_loads_back_unchanged(ruleset: Ruleset) -> None:
    as_yaml, as_json = dump_ruleset(ruleset, "yaml"), dump_ruleset(ruleset, "json")
    assert load_ruleset(as_yaml, name="x") == ruleset
    assert load_ruleset(as_json, name="x") == ruleset
    assert dump_ruleset(load_ruleset(as_yaml, name="x"), "yaml") == as_yaml
    assert read_yaml_fast(as_yaml) == compose_yaml(as_yaml, "x")
    assert compose_yaml(as_json, "x")[0] == ruleset.to_json()


@SETTINGS
@given(
    st.one_of(ANYTHING, st.fixed_dictionaries({}, optional=dict.fromkeys(RULE_FIELDS, ANYTHING)))
)
def test_garbage_is_refused_by_name(obj: object) -> None:
    for parse in (Rule.parse, Ruleset.parse, AttachmentSpec.parse):
        try:
            parse(obj)
        except InvalidInput as error:
            assert error.field
            assert len(error.message) < 600
            assert (error.message + error.field + (error.hint or "")).isprintable()
            json.dumps(error.value, ensure_ascii=False).encode()


@SETTINGS
@given(st.sampled_from(RULE_FIELDS), st.one_of(ANYTHING, st.text("0123456789./:-!,@ %[]abcdefx")))
def test_garbage_in_one_field_names_it(field: str, value: object) -> None:
    obj = {"action": "drop", "proto": "tcp", "icmp_type": 8, field: value}
    if field not in ("icmp_type", "icmp_code"):
        del obj["icmp_type"]
    try:
        rule = Rule.parse(obj)
    except InvalidInput as error:
        assert error.field in (field, "icmp_type", "icmp_code", "proto", "tcp_flags")
    else:
        assert Rule.parse(rule.text) == rule.model_copy(update={"id": None})


@settings(max_examples=600, deadline=None)
@given(st.one_of(st.text(), st.lists(WORDS, max_size=8).map(" ".join)))
def test_a_garbled_sentence_points_into_itself(text: str) -> None:
    try:
        rule = Rule.parse(text)
    except InvalidInput as error:
        assert error.span is not None
        start, end = error.span
        assert 0 <= start <= end <= len(text)
        assert (error.message + (error.hint or "")).isprintable()
        json.dumps(error.value, ensure_ascii=False).encode()
    else:
        assert Rule.parse(rule.text) == rule


@SETTINGS
@given(
    st.one_of(
        st.text(),
        st.text("{}[]:,-!&*#|>\"'\n vr1 ").map(lambda tail: "version: 1\nrules:\n" + tail),
        ANYTHING.map(lambda obj: json.dumps(obj, default=str)),
    )
)
def test_a_garbled_file_is_refused_by_one_error(text: str) -> None:
    try:
        load_ruleset(text, name="f")
    except InvalidInput as error:
        assert error.message.startswith("f: ")


@SETTINGS
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "", "  ", "    ", "  - ", "   "]),
            st.sampled_from(["rules:", "version: 1", "a: b", "id: on", "x: 1e3", "x: 0x1F", "r: []",
                             "true: 1", "c: 1:2", 'q: "a\\u00e9\\"b"', "q: 'x'", "# c", "", "...",
                             "- a", "n: .5", "n: -1", "n: null", "t: 2026-11-21", "v: a #b", "z: é"]),
        ).map("".join),
        max_size=8,
    ).map("\n".join)
)  # fmt: skip
def test_the_quick_reading_of_yaml_is_the_whole_ones(text: str) -> None:
    quick = read_yaml_fast(text)
    if quick is not None:
        whole, lines = compose_yaml(text, "x")
        assert (quick[0] or None) == whole
        assert quick[1] == lines


SETS_FILE = """\
version: 1
sets:
  bad:
    entries:
      - 10.0.0.1
      - entry: 10.0.0.2
        expires: "2030-01-01T00:00:00Z"
      - "2001:db8::1"
  "1":
    packed: "WFdT=="
    entries: []
rules: []
""".splitlines()


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*SETS_FILE, *SETS_FILE, "  a:", "    file: x", "      - 1"])))
def test_a_jumbled_set_is_read_as_the_whole_reading_does(more: list[str]) -> None:
    for lines in (more, [*SETS_FILE[:8], *more], ["version: 1", "sets:", "  a:", *more]):
        text = "\n".join(lines)
        quick = read_yaml_fast(text)
        if quick is not None:
            whole, places = compose_yaml(text, "x")
            assert quick == ((whole or {}), places)
