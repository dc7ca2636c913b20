"""The entries of a set as a ruleset file and PUT /sets/{name} state them. Pure.

{"entries": ["10.0.0.1", {"entry": "10.0.0.2", "expires": "1h"}]}      as people write it
{"packed": "WFdTRVQx...", "entries": [...]}                            more than INLINE of them
{"file": "blocklist.txt"}                                              the command line alone
{..., "allow_empty": false, "most_shrink": 50}                         refused where more would go
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from xdpwall.errors import InvalidInput
from xdpwall.values.inputs import (
    field_label,
    invalid,
    parse_boolean,
    parse_number,
    refuse_unknown_fields,
)
from xdpwall.values.time_read import parse_expiry

from .entries import Entries, check_size, parse_entry

INLINE = 1000
"""Up to so many entries are written one by one, more of them packed and in base64."""

_KNOWN = ("entries", "packed", "file", "allow_empty", "most_shrink")
SetFileReader = Callable[[str], "SetContent"]
"""Reads the file that a set names. Only the command line does that."""


@dataclass(frozen=True, slots=True)
class SetContent:
    """All entries, and the expiry of some of them as text, by the entry's canonical text.

    `allow_empty`: whether none may replace some; `most_shrink`: percent of the entries that may go,
    None for any number.
    """

    entries: Entries = field(default_factory=Entries.empty)
    timeouts: Mapping[str, str] = field(default_factory=dict)
    allow_empty: bool = True
    most_shrink: int | None = None

    def __len__(self) -> int:
        return len(self.entries)

    @classmethod
    def parse(
        cls, obj: object, where: str = "", *, files: SetFileReader | None = None
    ) -> SetContent:
        """Parse a JSON object. Raises InvalidInput under a field that begins with `where`
        (`sets.bad`), or Full."""
        prefix = where and f"{where}."
        if not isinstance(obj, Mapping):
            raise invalid(where or "set", obj, "is not a set", "an object with entries")
        refuse_unknown_fields(obj, _KNOWN, "a set", prefix)
        if "file" in obj:
            return _from_file(obj, f"{prefix}file", files)
        if "entries" not in obj and "packed" not in obj:
            raise InvalidInput(
                f"{prefix}entries: missing; wanted a list ([] for none)", field=f"{prefix}entries"
            )
        packed = Entries.empty()
        if "packed" in obj:
            packed = _parse_packed(obj["packed"], f"{prefix}packed")
        entries, timeouts = _parse_entries(obj.get("entries", []), f"{prefix}entries")
        found = packed.union(entries)
        check_size(len(found), where or "set")
        return cls(found, timeouts, **_limits(obj, prefix))

    def to_json(self) -> dict[str, Any]:
        """The JSON object that `parse` reads back."""
        limits: dict[str, Any] = {}
        if not self.allow_empty and not len(self.entries):
            limits["allow_empty"] = False
        if self.most_shrink is not None:
            limits["most_shrink"] = self.most_shrink
        if len(self.entries) <= INLINE:
            return {"entries": [self._row(text) for text in self.entries.texts()], **limits}
        timed = Entries.of(self.timeouts)
        lasting = self.entries.difference(timed)
        found: dict[str, Any] = {"packed": b64encode(lasting.pack()).decode(), **limits}
        if len(timed):
            found["entries"] = [self._row(text) for text in timed.texts()]
        return found

    def _row(self, text: str) -> str | dict[str, str]:
        expires = self.timeouts.get(text)
        return text if expires is None else {"entry": text, "expires": expires}


def _from_file(obj: Mapping[Any, Any], field: str, files: SetFileReader | None) -> SetContent:
    value = obj["file"]
    if files is None:
        raise invalid(
            field,
            value,
            "is not read here",
            "the entries themselves",
            hint="only the command line reads a set's file: xdpwall apply, xdpwall set load",
        )
    if "entries" in obj or "packed" in obj:
        raise invalid(field, value, "stands beside entries", "one of the two")
    if not isinstance(value, str) or not value:
        raise invalid(field, value, "is not the name of a file", "a path, relative to this file's")
    limits = {"allow_empty": False, **_limits(obj, field.removesuffix("file"))}
    try:
        return replace(files(value), **limits)
    except InvalidInput as error:
        raise InvalidInput(
            f"{field}: {error.message}", field=field, value=value, hint=error.hint, code=error.code
        ) from error


def _limits(obj: Mapping[Any, Any], prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "allow_empty" in obj:
        found["allow_empty"] = parse_boolean(f"{prefix}allow_empty", obj["allow_empty"])
    if "most_shrink" in obj:
        found["most_shrink"] = parse_percent(f"{prefix}most_shrink", obj["most_shrink"])
    return found


def parse_percent(field: str, value: object) -> int:
    """Whole percent, 0 to 100."""
    return parse_number(field, value, 0, 100, "whole percent, 0 to 100")


def _parse_packed(value: object, field: str) -> Entries:
    if not isinstance(value, str):
        raise invalid(field, value, "is not text", "what export wrote")
    try:
        return Entries.unpack(b64decode(value, validate=True))
    except (binascii.Error, ValueError):
        raise invalid(field, value, "is not base64", "what export wrote") from None
    except InvalidInput as error:
        raise InvalidInput(f"{field}: {error.message[8:]}", field=field) from None


def _parse_entries(rows: object, field: str) -> tuple[Entries, dict[str, str]]:
    if isinstance(rows, (str, bytes)) or not isinstance(rows, Sequence):
        raise invalid(field, rows, "is not a list", "a list of addresses and prefixes")
    timeouts: dict[str, str] = {}
    if all(isinstance(row, str) for row in rows):
        return Entries.of(rows, field), timeouts
    texts: list[object] = []
    for index, row in enumerate(rows):
        if isinstance(row, Mapping):
            text, expires = _parse_timed_entry(row, f"{field}[{index}]")
            texts.append(text)
            if expires is not None:
                timeouts[text] = expires
        else:
            texts.append(row)
    return Entries.of(texts, field), timeouts


def _parse_timed_entry(row: Mapping[Any, Any], field: str) -> tuple[str, str | None]:
    for name in row:
        if name not in ("entry", "expires"):
            raise InvalidInput(
                f"{field}: {field_label(name)} is no field of an entry; known: entry, expires",
                field=f"{field}.{field_label(name)}",
                code="unknown-field",
            )
    if "entry" not in row:
        raise InvalidInput(f"{field}.entry: missing", field=f"{field}.entry")
    text = parse_entry(row["entry"], f"{field}.entry").text
    if "expires" not in row:
        return text, None
    return text, parse_expiry(f"{field}.expires", row["expires"])


def parse_sets(obj: object, *, files: SetFileReader | None = None) -> dict[str, SetContent]:
    """Parse the `sets` of a ruleset: content by name. Raises InvalidInput, Full."""
    from xdpwall.values.addresses import parse_set_name

    from .names import MAX_SETS

    if not isinstance(obj, Mapping):
        raise invalid("sets", obj, "is not an object", "names, each with its entries")
    if len(obj) > MAX_SETS:
        raise InvalidInput(
            f"sets: {len(obj):,} of them; at most {MAX_SETS:,} fit", field="sets", code="too-many"
        )
    names = sorted(parse_set_name(f"sets.{field_label(name)}", name) for name in obj)
    return {name: SetContent.parse(obj[name], f"sets.{name}", files=files) for name in names}
