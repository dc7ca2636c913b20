"""Header and chunk lines are read as h11 reads them, in linear time."""

from __future__ import annotations

import importlib
import re

import h11
import pytest
from h11 import _abnf, _readers
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.backtracking import Automaton
from xdpwall.api.serving import h11_patterns

HEADER = re.compile(_abnf.header_field.encode())
CHUNK = re.compile(_abnf.chunk_header.encode())


def pieces(*known: bytes) -> st.SearchStrategy[bytes]:
    return st.lists(st.sampled_from(known), max_size=12).map(b"".join)


def read(pattern: re.Pattern[bytes], line: bytes) -> dict[str, bytes] | None:
    found = pattern.fullmatch(line)
    return found and found.groupdict()


@given(pieces(b"a", b"X-", b":", b": ", b" ", b"\t", b"  ", b"v", b"\xe9", b"\0", b"\x0b", b"\r"))
@example(b"a:  \t ")
@example(b"a: b \t c  ")
def test_a_header_is_read_as_h11_reads_it(line: bytes) -> None:
    assert read(h11_patterns._HEADER, line) == read(HEADER, line)


@given(
    pieces(b"1", b"fF", b";", b"; x=y", b" ", b"\t", b"z", b"\0", b"\n").map(lambda p: p + b"\r\n")
)
@example(b"1f ; a \t\r\n")
def test_a_chunk_is_read_as_h11_reads_it(line: bytes) -> None:
    assert read(h11_patterns._CHUNK, line) == read(CHUNK, line)


def test_h11s_own_are_not_linear() -> None:
    """Else h11_patterns.py can go."""
    for pattern in (HEADER, CHUNK):
        assert Automaton(pattern.pattern.decode()).fault() is not None


def test_the_service_reads_by_them() -> None:
    importlib.import_module("xdpwall.api.server")
    assert _readers.header_field_re is h11_patterns._HEADER
    assert _readers.chunk_header_re is h11_patterns._CHUNK


@pytest.mark.parametrize("value", [b" " * 200_000 + b"\0", b"\t \t" * 60_000 + b"\x0b"])
def test_a_long_run_of_blanks_before_what_is_wrong_is_refused(value: bytes) -> None:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(b"GET / HTTP/1.1\r\nhost: x\r\na:" + value + b"\r\n\r\n")
    with pytest.raises(h11.RemoteProtocolError, match="illegal header line"):
        connection.next_event()
