"""Tables, colour, units, and text that cannot move the cursor."""

from __future__ import annotations

import io
import json

import pytest
from ruamel.yaml import YAML

from tests.cli.support import invoke
from xdpwall.cli.options import Invocation
from xdpwall.cli.terminal.output import Column, Printer, TableCell
from xdpwall.cli.terminal.text import display_width, escape_controls, time_ago, with_prefix


def printed(asked: Invocation, columns: list[Column], rows: list[list[str | TableCell]]) -> str:
    stream = io.StringIO()
    Printer(asked, stream).table(columns, rows)
    return stream.getvalue()


COLUMNS = [Column("ID"), Column("PACKETS", right=True), Column("SINCE", wide=True), Column("RULE")]
ROWS: list[list[str | TableCell]] = [
    ["r1", "7", "now", TableCell("drop icmp", "red")],
    ["noping", "1234", "then", "accept"],
]


def test_numbers_stand_right_and_text_left_without_trailing_blanks() -> None:
    assert printed(Invocation(), COLUMNS, ROWS) == (
        "ID      PACKETS  RULE\nr1            7  drop icmp\nnoping     1234  accept\n"
    )


def test_wide_shows_every_column() -> None:
    assert "SINCE  RULE" in printed(Invocation(output="wide"), COLUMNS, ROWS)


def test_no_headers_leaves_the_rows_and_their_own_width() -> None:
    assert printed(Invocation(headers=False), COLUMNS, ROWS) == (
        "r1         7  drop icmp\nnoping  1234  accept\n"
    )


def test_colour_adds_nothing_but_colour() -> None:
    colored = printed(Invocation(color="always"), COLUMNS, ROWS)
    assert "\x1b[31mdrop icmp\x1b[0m" in colored
    for code in ("0", "1", "31"):
        colored = colored.replace(f"\x1b[{code}m", "")
    assert colored == printed(Invocation(color="never"), COLUMNS, ROWS)


def test_an_empty_table_is_its_headings() -> None:
    assert printed(Invocation(), COLUMNS, []) == "ID  PACKETS  RULE\n"


def test_wide_characters_keep_the_columns_straight() -> None:
    lines = printed(
        Invocation(headers=False), [Column("A"), Column("B")], [["網路", "x"], ["abcd", "y"]]
    ).splitlines()
    assert lines == ["網路  x", "abcd  y"]
    assert display_width("網路") == display_width("abcd") == 4


@pytest.mark.parametrize(
    "text",
    ["\x1b[2J", "a\rb", "a\nb", "\x00", "\x9b31m", "\u202e", "\x7f"],
)
def test_control_characters_come_out_as_escapes(text: str) -> None:
    assert escape_controls(text).isprintable()
    assert printed(Invocation(), [Column("A")], [[text]]).count("\n") == 2


def test_a_terminal_that_cannot_show_it_gets_an_escape() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Printer(Invocation(), stream).line("für")
    stream.flush()
    assert raw.getvalue() == b"f\\xfcr\n"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (9_999, "9999"),
        (10_000, "10.0k"),
        (12_345, "12.3k"),
        (99_949, "99.9k"),
        (99_950, "100k"),
        (999_499, "999k"),
        (999_500, "1.00M"),
        (1_234_567, "1.23M"),
        (12 * 10**9, "12.0G"),
        (2**64 - 1, "18.4E"),
        (5 * 10**21, "5000E"),
    ],
)
def test_units_have_three_digits(number: int, text: str) -> None:
    assert with_prefix(number) == text
    assert with_prefix(number, "B") == f"{text}B"


def test_exact_and_wide_show_counters_in_full() -> None:
    number = 123_456_789
    assert Printer(Invocation()).packets(number) == "123M"
    assert Printer(Invocation(exact=True)).packets(number) == str(number)
    assert Printer(Invocation(output="wide")).bytes(number) == str(number)


def test_json_and_yaml_carry_text_and_order_unchanged() -> None:
    data = {"z": "für", "a": [{"text": "no", "n": "0123"}], "ok": True}
    for output in ("json", "yaml"):
        stream = io.StringIO()
        printer = Printer(Invocation(output=output), stream)
        printer.show(lambda: data, list, lambda: None)
        text = stream.getvalue()
        assert "für" in text
        assert text.index("z") < text.index("a")
        if output == "json":
            assert json.loads(text) == data
        else:
            assert YAML(typ="safe").load(text) == data


@pytest.mark.parametrize(
    ("then", "text"),
    [
        ("2026-11-21T09:59:57Z", "3s"),
        ("2026-11-21T09:48:00Z", "12m"),
        ("2026-11-21T05:00:00Z", "5h"),
        ("2026-11-12T10:00:00Z", "9d"),
        ("2026-11-21T10:00:09Z", "0s"),
        ("long ago", "long ago"),
    ],
)
def test_ages(then: str, text: str) -> None:
    from datetime import UTC, datetime

    assert time_ago(then, datetime(2026, 11, 21, 10, tzinfo=UTC)) == text


@pytest.mark.parametrize(
    "name",
    ["c\x85d", "x\x7fy", "a\u202eb", "\x1b[31m", "é", "\U000e0001", "\ud800", "tab\tnewline\n"],
)
def test_json_and_yaml_have_no_raw_control_and_lose_nothing(name: str) -> None:
    asked = Invocation(output="json")
    out = io.StringIO()
    Printer(asked, out).json([{"process": name}])
    assert json.loads(out.getvalue()) == [{"process": name}]
    assert out.getvalue().replace("\n", "").isprintable()
    if name != "\ud800":
        out = io.StringIO()
        Printer(asked, out).yaml([{"process": name}])
        assert YAML(typ="safe", pure=True).load(out.getvalue()) == [{"process": name}]
        assert out.getvalue().replace("\n", "").isprintable()


@pytest.mark.parametrize("words", [["status"], ["rule", "list"], ["off"], ["serve"], ["doctor"]])
def test_a_socket_path_that_is_too_long_is_told(words: list[str]) -> None:
    path = "/" + "x" * 107
    result = invoke(*words, "--socket", path)
    assert result.exit_code == 2, result.output
    assert "socket: " in result.output and "at most 107 bytes" in result.output
