"""The rate of a rule, `limit` or `over`: read, checked, and in one spelling. Pure.

    6/m burst 6 per src        10MB/s burst 266kB        50/s burst 6 per src/24

A rate is in packets or, with a unit, in bytes. The canonical form is one line of text, as a sentence
has it; JSON has the same as {"rate", "burst", "per"}.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Any, NamedTuple

from xdpwall.values.inputs import did_you_mean, field_label, invalid, parse_number

TICK_MARGIN = Fraction(1, 50)
"""Seconds: two ticks at 100 Hz, the longest that Linux has. A bucket must hold what comes in them."""
LEAST_BURST = 5
"""The burst where none is said, and the rate allows it: nft's default too."""
FRAME = 1514
"""Bytes of a full Ethernet frame: a bucket of bytes must hold one besides."""
LARGE_FRAME = 66_000
"""Bytes: more than a packet of GSO or GRO has at tc, for a burst in bytes that is not said."""
MOST_PACKETS = 100_000_000
"""A second."""
MOST_BYTES = 10_000_000_000
"""A second."""
MOST_DAYS = 90
"""How long a bucket may take to fill: the kernel's word for it has room for 99 days at 1,000 Hz."""

_DAY = 86_400
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": _DAY}
_SPELLED = {"sec": "s", "second": "s", "min": "m", "minute": "m", "hour": "h", "day": "d"}
_UNITS = {"B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3}
_RATE = re.compile(r"([1-9][0-9]{0,11})([a-zA-Z]*)/([a-z]+)", re.ASCII)
_SIZE = re.compile(r"([1-9][0-9]{0,17})([a-zA-Z]*)", re.ASCII)
_WANTED = "a number of packets or bytes in a time: 50/s, 6/m, 100/h, 5/d, 10MB/s"
_WHOLE = "RATE [burst B] [per src], like 6/m burst 6 per src"
_PER = "src, or src/N for wider networks"
_NAMES = ("rate", "burst", "per")
_SOURCES = ("source", "ip", "srcip", "saddr", "address", "host", "client")
"""What others call the source of a packet."""


class Rate(NamedTuple):
    """A rate in numbers."""

    tokens: int
    seconds: int
    """`tokens` in so many seconds."""
    bytes: bool
    """Tokens are bytes, and not packets."""
    burst: int
    """Tokens."""
    per_source: bool = False
    source_bits: int | None = None
    """Of the prefix that has a bucket; None: 32 of IPv4, 64 of IPv6."""

    @property
    def per_second(self) -> Fraction:
        """Tokens a second."""
        return Fraction(self.tokens, self.seconds)


def rate_parser(field: str) -> Any:
    """The parser of `limit` or `over`: the canonical line of a line or an object."""
    known = lru_cache(maxsize=1024)(
        lambda line: _written(_checked(field, line, _parts(field, line)))
    )

    def parse(value: Any) -> str:
        if isinstance(value, str):
            return known(value)
        if not isinstance(value, Mapping):
            raise invalid(
                field, value, "is not a rate", f'{_WHOLE}; or {{"rate": "6/m", "burst": 6}}'
            )
        return _written(_checked(field, value, _members(field, value)))

    return parse


@lru_cache(maxsize=1024)
def rate_of(line: str) -> Rate:
    """The numbers of a canonical line."""
    return _checked("limit", line, _parts("limit", line))


def rate_json(line: str) -> dict[str, str | int]:
    """The object of a canonical line."""
    words = line.split()
    burst = words[2]
    found: dict[str, str | int] = {
        "rate": words[0],
        "burst": int(burst) if burst.isdigit() else burst,
    }
    if len(words) > 3:
        found["per"] = words[4]
    return found


def check_source_bits(field: str, line: str, family: str | None) -> str:
    """The canonical line, where the rule is about `family`; InvalidInput where N does not suit it."""
    rate = rate_of(line)
    if rate.source_bits is None:
        return line
    shown = f"per src/{rate.source_bits}"
    if family is None:
        raise invalid(
            field, line, f"says {shown}, and the rule is about both families",
            "ipv4 or ipv6 beside it, or per src alone",
        )  # fmt: skip
    most = 32 if family == "ipv4" else 64
    if rate.source_bits > most:
        each = "an IPv4 address" if most == 32 else "an IPv6 /64, a host's usual network,"
        raise invalid(
            field, line, f"says {shown}, and {each} has one bucket", f"src/1 to src/{most}"
        )
    if rate.source_bits == most:
        return _written(rate._replace(source_bits=None))
    return line


_Parts = Mapping[str, Any]


def _parts(field: str, line: str) -> _Parts:
    words = line.split()
    if not words:
        raise invalid(field, line, "is empty", _WHOLE)
    found = {"rate": words[0]}
    rest = words[1:]
    while rest:
        name = rest[0]
        if name not in ("burst", "per") or name in found or len(rest) < 2:
            raise invalid(field, line, f"is not a rate at {name!r}", _WHOLE)
        found[name] = rest[1]
        rest = rest[2:]
    return found


def _members(field: str, value: Mapping[Any, Any]) -> _Parts:
    for name in value:
        if name not in _NAMES:
            shown = field_label(name)
            hint = did_you_mean(name, _NAMES) if isinstance(name, str) else None
            raise invalid(field, value, f"has no member {shown}", f"{', '.join(_NAMES)}", hint=hint)
    if not isinstance(value.get("rate"), str):
        raise invalid(field, value.get("rate"), "is not a rate", _WANTED)
    return {name: member for name, member in value.items() if member is not None}


def _checked(field: str, value: object, parts: _Parts) -> Rate:
    tokens, seconds, in_bytes = _tempo(field, parts["rate"])
    speed = Fraction(tokens, seconds)
    most = MOST_BYTES if in_bytes else MOST_PACKETS
    least = Fraction(1000 if in_bytes else 1, _DAY)
    if not least <= speed <= most:
        limits = "1kB/d to 10GB/s" if in_bytes else f"1/d to {MOST_PACKETS}/s"
        raise invalid(field, parts["rate"], "is out of range", limits)
    burst = parts.get("burst")
    sized = least_burst(speed, in_bytes)
    tokens_at_once = (
        _default_burst(speed, in_bytes) if burst is None else _burst(field, burst, in_bytes)
    )
    if tokens_at_once < sized:
        raise invalid(
            field, burst, f"is too small a burst for {parts['rate']}: the kernel counts time in ticks",
            f"burst {_size_text(sized, in_bytes)} or more",
        )  # fmt: skip
    if tokens_at_once > (largest := int(speed * MOST_DAYS * _DAY)):
        raise invalid(
            field, burst, f"is more than {parts['rate']} brings in {MOST_DAYS} days",
            f"burst {_size_text(largest, in_bytes)} or less",
        )  # fmt: skip
    if tokens_at_once >= 1 << 32:
        raise invalid(field, burst, "is out of range", f"burst {(1 << 32) - 1} or less")
    per, bits = _per(field, parts.get("per"))
    return Rate(tokens, seconds, in_bytes, tokens_at_once, per, bits)


def least_burst(per_second: Fraction, in_bytes: bool) -> int:
    """The least burst that works: what comes within TICK_MARGIN, and one packet or frame."""
    return ceil(per_second * TICK_MARGIN) + (FRAME if in_bytes else 1)


def _default_burst(per_second: Fraction, in_bytes: bool) -> int:
    if in_bytes:
        return -(-(ceil(per_second * TICK_MARGIN) + LARGE_FRAME) // 1000) * 1000
    return max(LEAST_BURST, least_burst(per_second, in_bytes))


def _tempo(field: str, text: object) -> tuple[int, int, bool]:
    match = _RATE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise invalid(field, text, "is not a rate", _WANTED, hint=_rate_hint(str(text)))
    number, unit, time = int(match[1]), match[2], match[3]
    seconds = _SECONDS.get(_SPELLED.get(time, time))
    if seconds is None:
        raise invalid(field, text, f"is in no time that is known, {time!r}", "/s, /m, /h or /d")
    size = _UNITS.get(unit) if unit else 1
    if size is None:
        raise invalid(
            field, text, f"is in no unit that is known, {unit!r}", _UNIT_WANTED, hint=_hint(unit)
        )
    return _reduced(number * size, seconds) + (bool(unit),)


_UNIT_WANTED = "none, for packets; or B, kB, MB or GB, for bytes"


def _hint(unit: str) -> str | None:
    if unit.lower().startswith(("bit", "kbit", "mbit", "gbit")) or unit.endswith("b"):
        return "rates are in bytes: 8 bits are one"
    return did_you_mean(unit, _UNITS)


def _rate_hint(text: str) -> str | None:
    """What to write for a rate as other tools have it: `5`, `5pps`, `10Mbps`, `5/minute` in two words."""
    number = _SIZE.fullmatch(text)
    if number is None:
        return None
    if not number[2]:
        return f"a rate has its time behind a slash, in one word: {text}/s, {text}/m"
    if number[2] == "pps":
        return f"packets a second are {number[1]}/s"
    if number[2].lower().endswith("bps") or "bit" in number[2].lower():
        return "rates are in bytes, of which each has 8 bits: 10MB/s"
    return None


def _reduced(tokens: int, seconds: int) -> tuple[int, int]:
    """The same rate in the shortest of the times that has a whole number."""
    for shorter in (1, 60, 3600, _DAY):
        if shorter <= seconds and tokens * shorter % seconds == 0:
            return tokens * shorter // seconds, shorter
    raise AssertionError(f"{tokens} in {seconds} s")


def _burst(field: str, value: object, in_bytes: bool) -> int:
    if not isinstance(value, str):
        return parse_number(field, value, 1, 1 << 62, "burst: a number of packets or bytes")
    match = _SIZE.fullmatch(value)
    if match is None:
        raise invalid(field, value, "is no burst", "burst 20, or of a rate in bytes burst 66kB")
    size = _UNITS.get(match[2]) if match[2] else 1
    if size is None:
        raise invalid(field, value, f"is in no unit that is known, {match[2]!r}", _UNIT_WANTED)
    if match[2] and not in_bytes:
        raise invalid(
            field, value, "is in bytes, and the rate is in packets", "a number of packets"
        )
    return int(match[1]) * size


def _per(field: str, value: object) -> tuple[bool, int | None]:
    if value is None:
        return False, None
    if value == "src":
        return True, None
    if not isinstance(value, str) or not value.startswith("src/"):
        hint = "a source is called src: per src" if value in _SOURCES else None
        raise invalid(field, value, "is nothing to have a bucket each", f"per {_PER}", hint=hint)
    return True, parse_number(field, value[4:], 1, 64, f"per {_PER}: N from 1 to 64")


def _written(rate: Rate) -> str:
    size = _size_text(rate.tokens, rate.bytes)
    time = next(name for name, seconds in _SECONDS.items() if seconds == rate.seconds)
    words = f"{size}/{time} burst {_size_text(rate.burst, rate.bytes)}"
    if not rate.per_source:
        return words
    return f"{words} per src" + ("" if rate.source_bits is None else f"/{rate.source_bits}")


def _size_text(number: int, in_bytes: bool) -> str:
    if not in_bytes:
        return str(number)
    unit = next(name for name in reversed(_UNITS) if number % _UNITS[name] == 0)
    return f"{number // _UNITS[unit]}{unit}"
