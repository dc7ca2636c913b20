"""Reads one drawn list by both readers, the real one in pieces of any size."""

from __future__ import annotations

import io
from ipaddress import ip_network
from random import Random
from typing import IO, cast
from unittest.mock import patch

from tests.support.oracle.lists.draw import draw_list
from tests.support.oracle.lists.reader import Network, Outcome, read_list
from xdpwall.errors import InvalidInput
from xdpwall.formats import address_list
from xdpwall.formats.address_list import AddressList, load_address_list


class _ShortReads(io.BytesIO):
    """Answers fewer bytes than it is asked for, as a pipe does."""

    def __init__(self, data: bytes, random: Random) -> None:
        super().__init__(data)
        self._random = random

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self._random.randint(1, size) if size and size > 0 else size)


def difference(seed: int) -> str | None:
    """None where both readers say the same of the list of this seed, else what they say."""
    random = Random(seed)
    data = draw_list(random)
    chunk = random.choice((1, 2, 3, 5, 16, 64, 1 << 19))
    longest = random.choice((40, 1 << 19, 1 << 19))
    wanted = read_list(data, longest=longest)
    with patch.multiple(address_list, CHUNK=chunk, MAX_LINE=longest):
        found = _read(data, random, skip_bad=True)
        strict = _read(data, random, skip_bad=False)
    if wanted.rejected and wanted.error in ("", "several-sets"):
        refused = isinstance(strict, InvalidInput) and strict.code == "bad-line"
        if not refused or f"line {wanted.rejected[0]}: " not in str(strict):
            return f"{data!r} in pieces of {chunk}: line {wanted.rejected[0]} is bad: {strict!r}"
    elif _said(strict) != _said(found):
        return f"{data!r} in pieces of {chunk}: without --skip-bad {_said(strict)}"
    if wanted.error == "gzip" and isinstance(found, InvalidInput):
        return None  # before the damage another reason may have come
    if _said(found) != _wanted(wanted):
        return f"{data!r} in pieces of {chunk}:\n{_said(found)}, wanted\n{_wanted(wanted)}"
    return None


def _read(data: bytes, random: Random, *, skip_bad: bool) -> AddressList | InvalidInput:
    stream = _ShortReads(data, random) if random.random() < 0.5 else io.BytesIO(data)
    try:
        return load_address_list(cast(IO[bytes], stream), name="list", skip_bad=skip_bad)
    except InvalidInput as error:
        return error


_WORDS = {
    "gzip data": "gzip",
    "wanted plain text": "encoding",
    "longer than": "too-long",
    "holds several sets": "several-sets",
}


def _said(found: AddressList | InvalidInput) -> object:
    if isinstance(found, InvalidInput):
        return next((code for words, code in _WORDS.items() if words in str(found)), str(found))
    report = found.report
    lines = [odd.line for odd in report.rejected_lines]
    entries = sorted(map(_key, map(ip_network, found.entries.texts())))
    timeouts = sorted((_key(ip_network(text)), each) for text, each in found.timeouts.items())
    counts = report.lines, report.read, report.duplicates, report.merged, report.rejected
    return counts, lines, entries, timeouts


def _wanted(outcome: Outcome) -> object:
    if outcome.error:
        return outcome.error
    entries = sorted(map(_key, outcome.entries))
    timeouts = sorted((_key(entry), each) for entry, each in outcome.timeouts.items())
    bad = outcome.rejected
    counts = outcome.lines, outcome.read, outcome.duplicates, outcome.merged, len(bad)
    return counts, bad, entries, timeouts


def _key(net: Network) -> tuple[int, int, int]:
    return net.version, int(net.network_address), net.prefixlen
