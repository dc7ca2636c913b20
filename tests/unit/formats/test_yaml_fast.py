"""The quick reading of YAML: ruamel.yaml's, or none."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xdpwall.errors import InvalidInput
from xdpwall.formats.yaml_fast import read_yaml_fast
from xdpwall.formats.yaml_file import compose_yaml

SETTINGS = settings(max_examples=400, deadline=None)
WRITTEN = """\
---
# what people write

version: 1  # the only one
policy: {ingress: drop, egress: 'accept', non_ip: "accept"}
rules:   # in order
- drop tcp/22 from ::1 to 10.0.0.0/8 comment "it's a test"  # said in quotes
   # more
- 'drop comment ''x'''

-   action: drop
    src: '!10.0.0.0/8'
    comment: no pings at all, 12:30 and a#b
- {action: drop, proto: tcp}
- text: drop udp
  id: "0123"
attachments:
    - {iface: eth0, hook: xdp}
    - iface: eth1
      mode: auto
"""
LINES = [
    *WRITTEN.splitlines(),
    *(
        "",
        " ",
        "  # c",
        "\t",
        "...",
        "--- a",
        "rules: []",
        "sets: {}",
        "sets:",
        "x: {}",
        "a:",
        "- -",
    ),
    *("  - drop", "    more: 1", "  more", "- |", "  > ", "-", "- a: ", "- a:", "? a", "- ? a"),
    *("- !a b", "- &a b", "- *a", "-  - b", "- [a]", "- {a: b, a: c}", "- {a: b", "- 'a", '- "a'),
    *("true: 1", "null: 1", "- {null: 1}", "a : b", "- a : b", "a:b", "A: 1", "é: 1", "<<: 1"),
    *("- <<: {a: b}", "  ingress: drop", " egress: drop", "- drop:", "- a # b: c", "%YAML 1.2"),
]
SCALAR = st.one_of(
    st.text("a1 :#'\"{}[],&*!|>%@`-?.~=<\\/+_é\t", max_size=12),
    st.text("a :#", max_size=8).map("a{}".format),
    st.sampled_from(
        ["~", "no", "0o17", "0x1F", "1e3", ".inf", "-1", "1_000", "12:30:45", "2026-11-21", "=",
         "1 # c", "a #", "a:#", "a: #", "a :b", "::", "a::b", "a ::", "a -", "a - b", "'' # c",
         '"\\u00e9"', '"\\n"', '"a" b', "'a' # é", "y", "", "[] ", "{} #", "{a: b} c", "{a: 1:2}",
         "{a: 'b, c', d: \"e\"}", "{a:  b,  c: d}", "{a: b,c: d}", "{a: b, c}", "{a: }", "{ a: b }"]
    ),
)  # fmt: skip
FRAMES = st.sampled_from(
    ["{}", "a: {}", "a:\n- {}", "a:\n  - {}\n  - b", "a:\n  b: {}", "a:\n- b: {}\n  c: d",
     "a: {}\nb: c", "a:\n- {}\nb: c", "a:\n- {}\n  b: c", "a:\n- {}\n  c", "{}: a", "a:\n- {}: b",
     "{}\na: b", "a:\n- '{}'", 'a:\n- "{}"', "a: {{b: {}}}", "a:\n- {{b: {}, c: d}}", "a: b  {}",
     "a:\n- b {}\n- c"]
)  # fmt: skip


def check(text: str) -> None:
    quick = read_yaml_fast(text)
    if quick is not None:
        data, lines = compose_yaml(text, "x")
        assert (repr(quick[0]), quick[1]) == (repr(data), lines), text


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_what_people_write_is_read_quickly(ends: str) -> None:
    text = WRITTEN.replace("\n", ends)
    found = read_yaml_fast(text)
    assert found is not None
    assert found == compose_yaml(text, "x")


@SETTINGS
@given(st.lists(st.sampled_from(LINES), max_size=8), st.sampled_from(["\n", "\n", "\r\n", "\r"]))
def test_jumbled_lines(lines: list[str], ends: str) -> None:
    check(ends.join(lines))


@SETTINGS
@given(st.data())
def test_one_line_among_good_ones(data: st.DataObject) -> None:
    lines = WRITTEN.splitlines()
    at = data.draw(st.integers(0, len(lines)))
    gone = data.draw(st.integers(0, 2))
    lines[at : at + gone] = data.draw(st.lists(st.sampled_from(LINES), max_size=2))
    check("\n".join(lines))


@settings(max_examples=1500, deadline=None)
@given(FRAMES, SCALAR)
@example("a:\n- {}", "drop from ::1 to fe80:: # x")
@example("{}: a", "a" * 2000)
def test_any_scalar(frame: str, scalar: str) -> None:
    check(frame.format(scalar))


@pytest.mark.parametrize(
    "text",
    [
        *("", "# only", "---", "a:", "- a", "a: &b c", "a: 1\na: 2", "\ufeffa: 1", "a: |\n  b"),
        "a:\n- b: c\nd: 1\n  e: 2",
    ],
)
def test_what_it_does_not_know_is_left_to_the_whole_reading(text: str) -> None:
    assert read_yaml_fast(text) is None


def test_a_fault_is_told_by_the_whole_reading() -> None:
    with pytest.raises(InvalidInput, match="^x: line 3: not YAML"):
        compose_yaml(WRITTEN.splitlines()[0] + "\nrules:\n- a: b: c", "x")
