"""Reads an address list into a set's entries, in one pass and little memory.

Lists are plain with # and ; comments, `ipset save`, Spamhaus' or FireHOL's, any of them gzipped.
Lines of one IPv4 address or prefix go through address_lines_fast.py, others through address_line.py.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np

from xdpwall.errors import Failed, InvalidInput, NeedsPrivileges, NotFound, XdpwallError
from xdpwall.sets.entries import MAX_ENTRIES, Entries, check_size, entry_key, parse_entry_fast
from xdpwall.values.inputs import printable

from .address_encoding import HEAD, refuse_other_encoding
from .address_gather import MAX_LISTED, EntryCollector, ReadReport, ReportedLine
from .address_line import LineParser
from .address_lines_fast import parse_ipv4_lines

CHUNK = 512 * 1024
"""Bytes read at once, so that the arrays made from them stay in the CPU's cache."""
MAX_LINE = 512 * 1024
"""Bytes of the longest line that is looked at."""
MAX_LINES = 2 * MAX_ENTRIES
"""Lines of the longest list, comments and blank ones too: they take time where they take no room."""
MAX_INFLATED = 1 << 30
"""Bytes of the longest list that comes gzipped: as many addresses as a set may hold, as text."""
MAX_RATIO = 100
"""Bytes that one gzipped byte may become, once there are INFLATED_FREELY. Lists of addresses become
3 to 20; what is made to fill a disk or to take hours, 1,000."""
INFLATED_FREELY = 4 << 20

Progress = Callable[[int, int], None]
"""Called with the bytes read so far and the file's size, 0 where that is unknown."""


@dataclass(frozen=True, slots=True)
class AddressList:
    """The entries of a list; `timeouts` are seconds from now, by the entry's text."""

    entries: Entries
    timeouts: dict[str, int]
    report: ReadReport


def load_address_list(
    source: Path | IO[bytes],
    *,
    name: str | None = None,
    skip_bad: bool = False,
    progress: Progress = lambda done, total: None,
) -> AddressList:
    """Read an address list from a file or a binary stream. Errors call it `name`.

    A bad line raises InvalidInput with its number or, with `skip_bad`, goes into the report.
    Raises NotFound, NeedsPrivileges, Failed, Full too.
    """
    shown = name or str(source)
    try:
        if isinstance(source, Path):
            with source.open("rb") as stream:
                return _ListReader(shown, skip_bad, progress).read(stream, source.stat().st_size)
        return _ListReader(shown, skip_bad, progress).read(source, 0)
    except FileNotFoundError as error:
        raise NotFound(f"{shown}: no such file", field="file", value=shown) from error
    except PermissionError as error:
        raise NeedsPrivileges(f"{shown}: permission denied", field="file", value=shown) from error
    except IsADirectoryError as error:
        raise InvalidInput(
            f"{shown}: is a folder, not a file", field="file", value=shown
        ) from error
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InvalidInput(
            f"{shown}: the gzip data is damaged or cut off: {error}", field="file", value=shown
        ) from error
    except (OSError, ValueError) as error:
        raise Failed(f"{shown}: cannot be read: {error}", field="file", value=shown) from error


class _ListReader:
    def __init__(self, name: str, skip_bad: bool, progress: Progress) -> None:
        self.name = name
        self.skip_bad = skip_bad
        self.progress = progress
        self.report = ReadReport()
        self.parser = LineParser()

    def read(self, stream: IO[bytes], total: int) -> AddressList:
        collector = EntryCollector()
        for text in self._read_chunks(stream, total):
            self._read_lines(text, collector)
            check_size(collector.count, self.name)
        if self.report.rejected and not self.skip_bad:
            raise self._refusal()
        if self.parser.others:
            names = ", ".join(sorted({self.parser.ipset or "", *self.parser.others})[:5])
            raise InvalidInput(
                f"{self.name}: holds several sets ({printable(names)})",
                field="file",
                value=self.name,
                hint=f"give one of them: grep '^add {printable(str(self.parser.ipset))} ' FILE",
            )
        entries, timeouts = collector.result(self.report)
        return AddressList(entries, timeouts, self.report)

    def _read_chunks(self, stream: IO[bytes], total: int) -> Iterator[bytes]:
        """The text in pieces of whole lines, of about CHUNK bytes."""
        head = _read_fully(stream, 2)
        packed = head == b"\x1f\x8b"
        source = stream
        rest = _PushedBack(head, stream)
        if packed:
            unpacked = gzip.GzipFile(fileobj=cast(IO[bytes], rest), mode="rb")
            source, head = cast(IO[bytes], unpacked), b""
        kept = head + _read_fully(source, HEAD - len(head))
        refuse_other_encoding(kept, self.name)
        done = inflated = len(kept)
        while True:
            block = _read_some(source, CHUNK)
            inflated += len(block)
            if packed:
                self._check_inflated(inflated, rest.taken)
            done = stream.tell() if packed and total else done + len(block)
            text = kept + block
            if not block:
                if text:
                    yield text if text.endswith(b"\n") else text + b"\n"
                self.progress(done, total)
                return
            end = text.rfind(b"\n") + 1
            kept = text[end:]
            if len(kept) > MAX_LINE:
                raise self._too_long(self.report.lines + text.count(b"\n") + 1)
            if end:
                yield text[:end]
            self.progress(done, total)

    def _check_inflated(self, inflated: int, taken: int) -> None:
        if inflated > MAX_INFLATED:
            problem = f"holds more than {MAX_INFLATED:,} bytes when unpacked"
        elif inflated > INFLATED_FREELY and inflated > MAX_RATIO * taken:
            problem = f"is gzipped data that becomes more than {MAX_RATIO} times as long"
        else:
            return
        raise InvalidInput(
            f"{self.name}: {problem}, so it is no list of addresses",
            field="file",
            value=self.name,
            code="too-large",
        )

    def _too_long(self, line: int) -> InvalidInput:
        return InvalidInput(
            f"{self.name}: line {line}: longer than {MAX_LINE >> 10} KiB, so it is no list of addresses",
            field="file",
            value=self.name,
        )

    def _read_lines(self, text: bytes, collector: EntryCollector) -> None:
        self._check_lengths(text)
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n")
        bare = text
        if self.parser.ipset is not None:
            start = b"\n" + self.parser.prefix.encode()
            bare = (b"\n" + text).replace(start, b"\n")[1:]
        found = parse_ipv4_lines(bare)
        first = self.report.lines + 1
        collector.add_lines(found, first)
        lines = _decoded_lines(bare) if len(found.other_lines) else []
        whole = lines if bare is text else None
        timed = self.parser.ipset is not None
        for index in found.other_lines.tolist():
            head, given, seconds = (
                lines[index].partition(" timeout ") if timed else (lines[index], "", "")
            )
            seconds = seconds if given else "0"
            simple = parse_entry_fast(head)
            if simple and len(seconds) < 9 and seconds.isdecimal() and seconds.isascii():
                collector.add(*simple, first + index, int(seconds))
                continue
            # The whole line: what it means must not hang on whether its chunk was stripped.
            whole = _decoded_lines(text) if whole is None else whole
            if (line := whole[index]) and not line.startswith(("#", ";")):
                self._read_slowly(line, first + index, collector)
                timed = self.parser.ipset is not None
        self.report.lines += len(found.ends)
        if self.report.lines > MAX_LINES:
            raise InvalidInput(
                f"{self.name}: more than {MAX_LINES:,} lines, so it is no list of addresses",
                field="file",
                value=self.name,
                code="too-large",
            )

    def _check_lengths(self, text: bytes) -> None:
        if len(text) <= MAX_LINE:
            return
        ends = np.flatnonzero(np.frombuffer(text, "u1") == 10)
        long = np.flatnonzero(np.diff(ends, prepend=-1) - 1 > MAX_LINE)
        if len(long):
            raise self._too_long(self.report.lines + 1 + int(long[0]))

    def _read_slowly(self, line: str, number: int, collector: EntryCollector) -> None:
        try:
            entries, seconds = self.parser.parse(line)
        except XdpwallError as error:
            self._reject(number, line, error.message)
            return
        for entry in entries:
            collector.add(*entry_key(entry), number, seconds)

    def _reject(self, number: int, line: str, message: str) -> None:
        report = self.report
        report.rejected += 1
        if len(report.rejected_lines) < MAX_LISTED:
            reason = message.removeprefix("entry: ")
            report.rejected_lines.append(ReportedLine(number, printable(line.strip()[:80]), reason))
        elif not self.skip_bad:
            raise self._refusal()

    def _refusal(self) -> InvalidInput:
        first = self.report.rejected_lines[0]
        more = self.report.rejected - 1
        others = f" ({more:,} more such lines)" if more else ""
        return InvalidInput(
            f"{self.name}: line {first.line}: {first.reason}{others}",
            field="file",
            value=first.text,
            code="bad-line",
            hint="nothing was changed; --skip-bad loads the other lines",
        )


def _decoded_lines(text: bytes) -> list[str]:
    return text.decode("utf-8", "backslashreplace").split("\n")


def _read_some(stream: IO[bytes], size: int) -> bytes:
    """Up to `size` bytes, none at the end. A stream that does not block may answer None."""
    block: bytes | None = stream.read(size)
    if block is None:
        raise BlockingIOError("it has nothing to read yet and does not wait")
    return block


def _read_fully(stream: IO[bytes], size: int) -> bytes:
    """Exactly `size` bytes, fewer at the end."""
    found = b""
    while len(found) < size and (block := _read_some(stream, size - len(found))):
        found += block
    return found


class _PushedBack:
    """A stream with the bytes put back that were read to recognize gzip."""

    def __init__(self, head: bytes, stream: IO[bytes]) -> None:
        self._head = head
        self._stream = stream
        self.taken = 0
        """Bytes that have been read of it."""

    def read(self, size: int = -1) -> bytes:
        head, self._head = self._head, b""
        block = head + self._stream.read(size - len(head) if size > 0 else size)
        self.taken += len(block)
        return block
