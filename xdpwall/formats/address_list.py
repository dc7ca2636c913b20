"""A file of addresses -> a set's entries, in one pass and little memory.

Plain lists with # and ; comments, `ipset save`, Spamhaus' and FireHOL's lists, any of them gzipped.
Lines that are one IPv4 address or prefix go through address_lines_fast.py, all others through address_line.py.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from xdpwall.errors import Failed, InvalidInput, NeedsPrivileges, NotFound, XdpwallError
from xdpwall.sets.entries import Entries, check_size, key_of, quick
from xdpwall.values.inputs import printable

from .address_gather import MOST_KEPT, Odd, Report
from .address_line import Forms

if TYPE_CHECKING:
    from .address_gather import Gathered


CHUNK = 512 * 1024
"""Bytes taken at once: what they are turned into stays in the processor's cache."""

Progress = Callable[[int, int], None]
"""Called with the bytes read so far and the file's size, 0 where that is unknown."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file's entries; `timeouts` are seconds from now, by entry."""

    entries: Entries
    timeouts: dict[str, int]
    report: Report


def load(
    source: Path | IO[bytes],
    *,
    name: str | None = None,
    skip_bad: bool = False,
    progress: Progress = lambda done, total: None,
) -> Loaded:
    """Read a set's file, or a stream that is open for bytes. `name` is what errors call it.

    A line that is no entry: InvalidInput with its number, or, with `skip_bad`, a line of the
    report.
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
        self.report = Report()
        self.forms = Forms()

    def read(self, stream: IO[bytes], total: int) -> Loaded:
        from .address_gather import Gathered

        gathered = Gathered()
        for text in self._texts(stream, total):
            self._lines(text, gathered)
            check_size(gathered.count, self.name)
        if self.report.rejected and not self.skip_bad:
            raise self._refusal()
        if self.forms.others:
            names = ", ".join(sorted({self.forms.ipset or "", *self.forms.others})[:5])
            raise InvalidInput(
                f"{self.name}: holds several sets ({printable(names)})",
                field="file",
                value=self.name,
                hint=f"give one of them: grep '^add {printable(str(self.forms.ipset))} ' FILE",
            )
        entries, timeouts = gathered.result(self.report)
        return Loaded(entries, timeouts, self.report)

    def _texts(self, stream: IO[bytes], total: int) -> Iterator[bytes]:
        """Whole lines, about CHUNK bytes at a time."""
        head = stream.read(2)
        packed = head == b"\x1f\x8b"
        rest = cast(IO[bytes], _Rest(head, stream))
        source = gzip.GzipFile(fileobj=rest, mode="rb") if packed else None
        done, kept = len(head), b"" if packed else head
        while True:
            block = source.read(CHUNK) if source else stream.read(CHUNK)
            done = stream.tell() if source and total else done + len(block)
            text = kept + block
            if not block:
                if text:
                    yield text + b"\n"
                self.progress(done, total)
                return
            end = text.rfind(b"\n") + 1
            if not end and len(text) > 2 * CHUNK:
                line = self.report.lines + 1
                raise InvalidInput(
                    f"{self.name}: line {line}: longer than {CHUNK >> 10} KiB, so it is no list"
                    " of addresses",
                    field="file",
                    value=self.name,
                )
            kept = text[end:]
            if end:
                yield text[:end]
            self.progress(done, total)

    def _lines(self, text: bytes, gathered: Gathered) -> None:
        from .address_lines_fast import plain_lines

        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n")
        if prefix := self.forms.prefix:
            text = (b"\n" + text).replace(b"\n" + prefix, b"\n")[1:]
        found = plain_lines(text)
        first = self.report.lines + 1
        gathered.add_plain(found, first)
        lines = text.decode("utf-8", "backslashreplace").split("\n") if len(found.rest) else []
        timed = self.forms.ipset is not None
        for index in found.rest.tolist():
            line = lines[index]
            head, _, seconds = line.partition(" timeout ") if timed else (line, "", "0")
            simple = quick(head)
            if simple and len(seconds) < 9 and seconds.isdecimal() and seconds.isascii():
                gathered.add(*simple, first + index, int(seconds))
            elif line and not line.startswith(("#", ";")):
                self._odd(line, first + index, gathered)
            timed = self.forms.ipset is not None
        self.report.lines += len(found.ends)

    def _odd(self, line: str, number: int, gathered: Gathered) -> None:
        try:
            entries, seconds = self.forms.read(line)
        except XdpwallError as error:
            self._reject(number, line, error.message)
            return
        for entry in entries:
            gathered.add(*key_of(entry), number, seconds)

    def _reject(self, number: int, line: str, message: str) -> None:
        report = self.report
        report.rejected += 1
        if len(report.rejected_lines) < MOST_KEPT:
            reason = message.removeprefix("entry: ")
            report.rejected_lines.append(Odd(number, printable(line.strip()[:80]), reason))
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


class _Rest:
    """A stream whose first bytes were read already, as gzip wants it."""

    def __init__(self, head: bytes, stream: IO[bytes]) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        head, self._head = self._head, b""
        return head + self._stream.read(size - len(head) if size > 0 else size)
