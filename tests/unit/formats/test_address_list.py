"""Files of addresses: the quick way and the slow one say the same, odd lines are told."""

from __future__ import annotations

import gzip
import io
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import IO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.oracle.lists.compare import difference
from xdpwall.errors import Failed, InvalidInput, NotFound
from xdpwall.formats import address_list
from xdpwall.formats.address_list import AddressList, load_address_list
from xdpwall.sets.entries import Entries, parse_entry


def read(text: str | bytes, *, skip_bad: bool = False) -> AddressList:
    data = text.encode() if isinstance(text, str) else text
    return load_address_list(io.BytesIO(data), name="list.txt", skip_bad=skip_bad)


def texts(text: str | bytes) -> list[str]:
    return read(text).entries.texts()


def test_plain_lists_with_comments_and_blanks() -> None:
    text = "# head\n\n10.0.0.1\r\n 10.0.0.2 \n10.1.0.0/16 # office\n; other\n2001:db8::1\n::/8;x\n"
    assert texts(text) == ["10.0.0.1", "10.0.0.2", "10.1.0.0/16", "2001:db8::1", "::/8"]
    assert read(text).report.lines == 8


def test_the_last_line_needs_no_newline_and_the_first_may_have_a_mark() -> None:
    assert texts("\ufeff10.0.0.1\n10.0.0.2") == ["10.0.0.1", "10.0.0.2"]
    assert texts("") == []


def test_spamhaus_as_text_and_as_json() -> None:
    assert texts("; Spamhaus DROP List\n1.10.16.0/20 ; SBL256894\n") == ["1.10.16.0/20"]
    json = '{"cidr":"1.10.16.0/20","sblid":"SBL256894","rir":"apnic"}\n{"type":"metadata"}\n'
    assert texts(json) == ["1.10.16.0/20"]


def test_what_ipset_saves_with_timeouts() -> None:
    text = (
        "create bad hash:ip family inet hashsize 1024 maxelem 65536 timeout 0 counters\n"
        "add bad 10.0.0.1 timeout 300 packets 4 bytes 240\n"
        'add bad 10.0.0.2 timeout 0 comment "timeout 9"\n'
        "add bad 10.0.0.3\n"
        "add bad 10.1.0.0/16 timeout 60\n"
        "add bad 2001:db8::1 timeout 61\n"
    )
    found = read(text)
    assert len(found.entries) == 5
    assert found.timeouts == {"10.0.0.1": 300, "10.1.0.0/16": 60, "2001:db8::1": 61}


def test_a_file_of_two_ipsets_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"list.txt: holds several sets \(a, b\)"):
        read("add a 10.0.0.1\nadd b 10.0.0.2\n")


def test_ranges_become_prefixes() -> None:
    assert texts("10.0.0.1-10.0.0.4\n2001:db8::-2001:db8::1") == [
        "10.0.0.1",
        "10.0.0.4",
        "10.0.0.2/31",
        "2001:db8::/127",
    ]


def test_gzip_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(gzip.compress(b"10.0.0.1\n") + gzip.compress(b"10.0.0.2\n"))
    told: list[tuple[int, int]] = []
    found = load_address_list(path, progress=lambda done, total: told.append((done, total)))
    assert found.entries.texts() == ["10.0.0.1", "10.0.0.2"]
    assert told[-1] == (path.stat().st_size, path.stat().st_size)
    cut = gzip.compress(b"10.0.0.1\n" * 5000)[:-12]
    with pytest.raises(InvalidInput, match="damaged or cut off"):
        read(cut)


def test_duplicates_and_covered_entries_are_told_with_their_lines() -> None:
    text = "10.0.0.1\n10.2.0.0/16\n10.0.0.1\n10.2.3.0/24\n10.2.3.4\n2001:db8::1\n2001:db8::/32\n"
    found = read(text)
    assert found.entries.texts() == ["10.0.0.1", "10.2.0.0/16", "2001:db8::/32"]
    report = found.report
    assert (report.lines, report.read, report.duplicates, report.merged) == (7, 7, 1, 3)
    assert [odd.line for odd in report.duplicate_lines] == [3]
    assert [odd.line for odd in report.merged_lines] == [4, 5, 6]


def test_an_entry_that_expires_covers_nothing() -> None:
    found = read("add a 10.0.0.0/8 timeout 60\nadd a 10.0.0.1\nadd a 10.0.0.2 timeout 9\n")
    assert found.entries.texts() == ["10.0.0.1", "10.0.0.2", "10.0.0.0/8"]
    assert found.report.merged == 0


BAD = [
    ("10.0.0.5/8", "has host bits set"),
    ("300.1.2.3", "over 255"),
    ("010.1.2.3", "leading zero"),
    ("1.2.3", "3 of an IPv4 address's 4 numbers"),
    ("1.2.3.4/33", "length from 0 to 32"),
    ("1.2.3.4,tcp:80", "more than an address"),
    ("10.0.0.9-10.0.0.1", "runs backwards"),
    ("host.example", "is not an address"),
    ("2001:db8::/129", "length from 0 to 128"),
    ("::ffff:1.2.3.4", "the IPv4 spelling"),
    ("add x 10.0.0.1 nomatch", "exception"),
    ("add x 10.0.0.1 timeout soon", "is not a timeout"),
    ('{"cidr": 7}', "is not text"),
    ("{", "is not JSON"),
    ("\x00\x01", "holds a NUL byte"),
    ("10.0.0.1\r10.0.0.2", "a carriage return alone"),
    ("add x 10.0.0.1 timeout " + "9" * 5000, "is not a timeout"),
    ("1.2.3.4 5.6.7.8", "is not"),
]


@pytest.mark.parametrize(("line", "right"), BAD)
def test_a_bad_line_is_refused_by_number_or_skipped(line: str, right: str) -> None:
    text = f"10.0.0.1\n# so\n{line}\n10.0.0.2\n"
    with pytest.raises(InvalidInput) as caught:
        read(text)
    assert caught.value.message.startswith("list.txt: line 3: ")
    assert right in caught.value.message
    found = read(text, skip_bad=True)
    assert found.entries.texts() == ["10.0.0.1", "10.0.0.2"]
    assert [(odd.line, odd.text.isprintable()) for odd in found.report.rejected_lines] == [
        (3, True)
    ]
    assert found.report.rejected == 1


def test_one_bad_line_among_many_chunks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address_list, "CHUNK", 64)
    lines = [f"10.{i >> 8}.{i & 255}.1" for i in range(3000)]
    lines[2345] = "10.9.999.1"
    with pytest.raises(InvalidInput, match="line 2346: "):
        read("\n".join(lines))
    assert len(read("\n".join(lines), skip_bad=True).entries) == 2999


ENDINGS = [
    b"",
    b"\n",
    b" ",
    b" \n",
    b"\n \n",
    b"\t",
    b"\r",
    b"\r\n",
    b"\n\r\n",
    b"\r\r\n",
    b"\n\n",
    b"#",
    b";\n",
]
"""What may stand behind the last entry, or alone."""


@pytest.mark.parametrize("chunk", [1, 2, 3, 9, 10, 11, 12, 1 << 19])
@pytest.mark.parametrize("end", ENDINGS)
def test_any_end_of_a_chunk(monkeypatch: pytest.MonkeyPatch, end: bytes, chunk: int) -> None:
    monkeypatch.setattr(address_list, "CHUNK", chunk)
    assert texts(end) == []
    for entry in ("10.0.0.1", "9.9.9.9", "10.0.0.0/8", "2001:db8::1"):
        raw = entry.encode() + end
        assert texts(raw) == [entry]
        assert read(b"\xef\xbb\xbf" + raw).report.lines == raw.count(b"\n") + (raw[-1:] != b"\n")
        assert texts(b"add s " + raw) == [entry]
        assert texts(gzip.compress(raw)) == [entry]


@pytest.mark.parametrize("chunk", [1, 7, 40, 1 << 19])
def test_of_a_repeated_entry_the_last_timeout_counts(
    monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(address_list, "CHUNK", chunk)
    text = "add s 10.0.0.1 timeout 5\nadd s 10.0.0.1\nadd s ::1 timeout 5\nadd s ::1 timeout 6\n"
    assert read(text + "add s ::2\nadd s ::2 timeout 7\n").timeouts == {"::1": 6, "::2": 7}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("start", "wanted", "command"),
    [
        ("10.0.0.1\r\n".encode("utf-16"), "is UTF-16;", "iconv -f UTF-16 -t UTF-8 FILE"),
        (b"\xfe\xff\0001\0.", "is UTF-16;", "iconv -f UTF-16 -t UTF-8 FILE"),
        ("10.0.0.1\r\n".encode("utf-16-le"), "is UTF-16LE;", "iconv -f UTF-16LE -t UTF-8 FILE"),
        ("10.0.0.1\r\n".encode("utf-16-be"), "is UTF-16BE;", "iconv -f UTF-16BE -t UTF-8 FILE"),
        ("10.0.0.1\n".encode("utf-32"), "is UTF-32;", "iconv -f UTF-32 -t UTF-8 FILE"),
        (b"\xfd7zXZ\0\0", "is compressed by xz;", "xz -dc FILE"),
        (b"PK\x03\x04", "is a zip archive;", "unzip -p FILE"),
    ],
)
def test_another_encoding_is_told_with_what_to_do(
    start: bytes, wanted: str, command: str, packed: bool
) -> None:
    for skip_bad in (False, True):
        with pytest.raises(InvalidInput, match=wanted) as caught:
            read(gzip.compress(start) if packed else start, skip_bad=skip_bad)
        assert command in str(caught.value.hint)


def test_a_stream_that_does_not_wait_is_told() -> None:
    class Nothing(io.RawIOBase):
        def read(self, size: int = -1) -> None:
            return None

    with pytest.raises(Failed, match="cannot be read: it has nothing to read yet"):
        load_address_list(cast(IO[bytes], Nothing()), name="standard input")


def test_both_readers_say_the_same() -> None:
    """The short form of `make fuzz-lists`."""
    found = [each for each in map(difference, range(600)) if each]
    assert not found, found[0]


def test_a_file_that_is_no_list_ends_soon() -> None:
    with pytest.raises(InvalidInput, match="line 1: longer than"):
        read(b"\x80" * 3_000_000)
    with pytest.raises(InvalidInput, match="more such lines"):
        read("no list\n" * 5000)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no such file"):
        load_address_list(tmp_path / "missing")
    with pytest.raises(InvalidInput, match="is a folder"):
        load_address_list(tmp_path)


@st.composite
def lines(draw: st.DrawFn) -> str:
    """Entries, and text that is one character away from an entry."""
    address = ip_address(
        draw(st.sampled_from([0, 10 << 24, 0xFFFFFFFF]) | st.integers(0, 2**32 - 1))
    )
    length = draw(st.integers(0, 32))
    text = draw(
        st.sampled_from(
            [
                str(address),
                str(ip_network((int(address) >> (32 - length) << (32 - length), length))),
            ]
        )
    )
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(list("0./129 :-ax\t"))) + text[at:]
    return text


@given(st.lists(lines(), max_size=30))
def test_the_quick_way_says_what_the_slow_one_does(found: list[str]) -> None:
    wanted, bad = [], []
    for number, line in enumerate(found, 1):
        ends = line.strip(" \t").split("-")
        try:
            if len(ends) == 2:
                raise InvalidInput("a range is for another test")
            wanted.append(parse_entry(line.strip(" \t")))
        except InvalidInput:
            bad.append(number)
    if any("-" in line for line in found):
        return
    loaded = read("\n".join(found), skip_bad=True)
    assert [odd.line for odd in loaded.report.rejected_lines] == bad
    assert loaded.entries == Entries.from_entries(wanted).covered()[0]


@pytest.mark.parametrize(
    "text", [b"\n", b"# a comment\n", b" " * 1000 + b"\n", b"10.0.0.1\n", b"0" * 4000 + b"\n"]
)
def test_gzipped_data_made_to_grow_is_refused(text: bytes) -> None:
    """8 MiB here; such a file of one MiB would become one GiB, and take minutes."""
    with pytest.raises(InvalidInput) as caught:
        read(gzip.compress(text * (8 * 1024 * 1024 // len(text))), skip_bad=True)
    assert caught.value.code == "too-large"
    assert "100 times" in caught.value.message


def test_a_list_has_a_most_of_lines_and_of_unpacked_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = b"".join(b"10.%d.%d.%d\n" % (n >> 16, n >> 8 & 255, n & 255) for n in range(100_000))
    for name, value in (("MAX_LINES", 99_999), ("MAX_INFLATED", len(plain) - 1)):
        with monkeypatch.context() as patched:
            assert len(read(gzip.compress(plain)).entries) == 100_000
            patched.setattr(address_list, name, value)
            with pytest.raises(InvalidInput) as caught:
                read(gzip.compress(plain))
            assert caught.value.code == "too-large"
