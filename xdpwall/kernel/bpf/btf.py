"""Read BTF: offsets of variables in a data section, layouts of structs, values of enums.

Format: Linux, Documentation/bpf/btf.rst. Little-endian only, like our objects.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from xdpwall.errors import Failed

_HEADER = struct.Struct("<HBBIIIII")
_TYPE = struct.Struct("<III")
_MAGIC = 0xEB9F

_INT, _PTR, _ARRAY, _STRUCT, _UNION, _ENUM, _FWD, _TYPEDEF, _VOLATILE, _CONST, _RESTRICT = range(
    1, 12
)
_FUNC, _PROTO, _VAR, _DATASEC, _FLOAT, _DECL_TAG, _TYPE_TAG, _ENUM64 = range(12, 20)
_SKIPS = {_TYPEDEF, _VOLATILE, _CONST, _RESTRICT, _VAR, _TYPE_TAG}  # of the size of their type


@dataclass(frozen=True, slots=True)
class Member:
    """A variable of a section or a member of a struct, in bytes."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class _Type:
    name: str
    kind: int
    count: int
    size: int  # or the number of the type referred to
    extra: bytes


class Btf:
    """The types of one object: `raw` is its .BTF section."""

    def __init__(self, raw: bytes) -> None:
        if len(raw) < _HEADER.size or int.from_bytes(raw[:2], "little") != _MAGIC:
            raise Failed("the BPF object has no BTF: compile it with -g")
        header = _HEADER.unpack_from(raw)
        length, type_at, type_size, text_at, text_size = header[3:]
        self._types = raw[length + type_at : length + type_at + type_size]
        self._texts = raw[length + text_at : length + text_at + text_size]

    @cached_property
    def _all(self) -> list[_Type]:
        return [_Type("void", 0, 0, 0, b""), *self._parse()]

    def _parse(self) -> Iterator[_Type]:
        at = 0
        while at < len(self._types):
            name, info, size = _TYPE.unpack_from(self._types, at)
            kind, count = info >> 24 & 0x1F, info & 0xFFFF
            at += _TYPE.size
            more = _extra(kind, count)
            yield _Type(self._text(name), kind, count, size, self._types[at : at + more])
            at += more

    def _text(self, at: int) -> str:
        return self._texts[at : self._texts.index(0, at)].decode()

    def _find(self, kind: int, name: str) -> _Type | None:
        return next((t for t in self._all if t.kind == kind and t.name == name), None)

    def section(self, name: str) -> dict[str, Member]:
        """The variables of a section such as `.rodata`; empty when the object has none."""
        found = self._find(_DATASEC, name)
        if found is None:
            return {}
        entries = struct.iter_unpack("<III", found.extra)
        return {self._all[var].name: Member(offset, size) for var, offset, size in entries}

    def struct(self, name: str) -> tuple[int, dict[str, Member]]:
        """(size, members) of a struct. Bit-fields are refused: our ABI has none."""
        found = self._find(_STRUCT, name)
        if found is None:
            raise Failed(f"the BPF object has no struct {name}")
        members = {}
        for text, number, bits in struct.iter_unpack("<III", found.extra):
            if bits % 8:
                raise Failed(f"struct {name} has a bit-field")
            members[self._text(text)] = Member((bits & 0xFFFFFF) // 8, self.size(number))
        return found.size, members

    def enum(self, name: str) -> dict[str, int]:
        """The values of an enum."""
        found = self._find(_ENUM, name)
        if found is None:
            raise Failed(f"the BPF object has no enum {name}")
        return {self._text(text): value for text, value in struct.iter_unpack("<Ii", found.extra)}

    def size(self, number: int) -> int:
        """Bytes of type `number`."""
        kind = self._all[number]
        if kind.kind in _SKIPS:
            return self.size(kind.size)
        if kind.kind == _PTR:
            return 8
        if kind.kind == _ARRAY:
            element, _, count = struct.unpack("<III", kind.extra)
            return self.size(element) * int(count)
        return kind.size


def _extra(kind: int, count: int) -> int:
    """Bytes that follow the common part of a type."""
    each = {_STRUCT: 12, _UNION: 12, _ENUM: 8, _PROTO: 8, _DATASEC: 12, _ENUM64: 12}
    fixed = {_INT: 4, _ARRAY: 12, _VAR: 4, _DECL_TAG: 4}
    return each.get(kind, 0) * count + fixed.get(kind, 0)
