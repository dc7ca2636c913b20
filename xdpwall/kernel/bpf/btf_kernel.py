"""Read the running kernel's BTF: offsets of members, values of enums, arguments of tracepoints.

It has 126,000 types in 5 MB: one pass over the fixed parts, and names are compared by offset.
Format: Linux, Documentation/bpf/btf.rst.
"""

from __future__ import annotations

import struct
from pathlib import Path

from xdpwall.errors import Failed, Unsupported

from .btf import _ENUM, _HEADER, _PTR, _SKIPS, _STRUCT, _TYPE, _TYPEDEF, _UNION, Member, _extra

VMLINUX = Path("/sys/kernel/btf/vmlinux")
_FUNC_PROTO = 13
_KINDS = 32
_SOUGHT = frozenset({_STRUCT, _ENUM, _TYPEDEF})


class KernelBtf:
    """The types of a kernel. Lookups raise Unsupported, which names the type or member missing."""

    def __init__(self, raw: bytes) -> None:
        header = _HEADER.unpack_from(raw)
        length, type_at, type_size, text_at, text_size = header[3:]
        self._types = raw[length + type_at : length + type_at + type_size]
        self._texts = raw[length + text_at : length + text_at + text_size]
        self._starts = [0]
        self._named: dict[tuple[int, int], int] = {}
        self._walk()

    @classmethod
    def read(cls, path: Path = VMLINUX) -> KernelBtf:
        """Read the running kernel's types. Unsupported when it has no BTF."""
        try:
            return cls(path.read_bytes())
        except FileNotFoundError as error:
            raise Unsupported(
                f"this kernel does not describe its types: {path} is missing",
                code="no-btf",
                hint="a kernel with CONFIG_DEBUG_INFO_BTF, as Debian's and most others are",
            ) from error
        except OSError as error:
            raise Failed(f"cannot read {path}: {error.strerror}", detail=str(error)) from error

    def _walk(self) -> None:
        each = [_extra(kind, 1) - _extra(kind, 0) for kind in range(_KINDS)]
        fixed = [_extra(kind, 0) for kind in range(_KINDS)]
        unpack, size = _TYPE.unpack_from, _TYPE.size
        types, add, named = self._types, self._starts.append, self._named
        at, end = 0, len(types)
        while at < end:
            name, info, _ = unpack(types, at)
            kind = info >> 24 & 0x1F
            if kind in _SOUGHT:
                named.setdefault((kind, name), len(self._starts))
            add(at)
            at += size + fixed[kind] + each[kind] * (info & 0xFFFF)

    def _id(self, kind: int, name: str) -> int | None:
        at = self._texts.find(b"\0" + name.encode() + b"\0")
        return self._named.get((kind, at + 1)) if at >= 0 else None

    def _need(self, kind: int, name: str, word: str) -> int:
        found = self._id(kind, name)
        if found is None:
            raise Unsupported(f"this kernel has no {word} {name}", code="no-btf-type")
        return found

    def _type(self, number: int) -> tuple[int, int, bytes]:
        """(kind, size or number of the type referred to, bytes that follow)."""
        at = self._starts[number]
        _, info, size = _TYPE.unpack_from(self._types, at)
        kind = info >> 24 & 0x1F
        begin = at + _TYPE.size
        return kind, size, self._types[begin : begin + _extra(kind, info & 0xFFFF)]

    def _text(self, at: int) -> str:
        return self._texts[at : self._texts.index(0, at)].decode()

    def _plain(self, number: int) -> int:
        """The number of the type behind typedefs and qualifiers."""
        while number:
            kind, size, _ = self._type(number)
            if kind not in _SKIPS:
                break
            number = size
        return number

    def _size(self, number: int) -> int:
        number = self._plain(number)
        kind, size, _ = self._type(number)
        return 8 if kind == _PTR else size

    def member(self, name: str, *path: str) -> Member:
        """Offset in struct `name`, and size, of the member `path`: its name, preceded by those of the
        members that contain it. Members of anonymous structs and unions are found, too."""
        number, offset = self._need(_STRUCT, name, "struct"), 0
        for step in path:
            found = self._member(number, step)
            if found is None:
                raise Unsupported(
                    f"this kernel's struct {name} has no {'.'.join(path)}", code="no-btf-member"
                )
            offset += found[0]
            number = self._plain(found[1])
        return Member(offset, self._size(number))

    def _member(self, number: int, name: str) -> tuple[int, int] | None:
        kind, _, extra = self._type(number)
        if kind not in (_STRUCT, _UNION):
            return None
        for text, inner, bits in struct.iter_unpack("<III", extra):
            offset = (bits & 0xFFFFFF) // 8
            if text:
                if self._text(text) == name:
                    return offset, inner
            elif found := self._member(self._plain(inner), name):
                return offset + found[0], found[1]
        return None

    def enum(self, name: str) -> dict[str, int]:
        """The values of an enum."""
        _, _, extra = self._type(self._need(_ENUM, name, "enum"))
        return {self._text(text): value for text, value in struct.iter_unpack("<II", extra)}

    def arguments(self, tracepoint: str) -> list[str]:
        """The type of each argument of a raw tracepoint: "enum skb_drop_reason", "pointer", "".

        Unsupported when there is no such tracepoint.
        """
        number = self._need(_TYPEDEF, f"btf_trace_{tracepoint}", "tracepoint")
        kind, size, extra = self._type(self._plain(number))
        if kind == _PTR:
            kind, _, extra = self._type(self._plain(size))
        if kind != _FUNC_PROTO:
            raise Unsupported(f"this kernel's tracepoint {tracepoint} has no prototype")
        return [self._word(inner) for _, inner in struct.iter_unpack("<II", extra)][1:]

    def _word(self, number: int) -> str:
        number = self._plain(number)
        kind = self._type(number)[0] if number else 0
        if kind == _PTR:
            return "pointer"
        if kind == _ENUM:
            name, _, _ = _TYPE.unpack_from(self._types, self._starts[number])
            return f"enum {self._text(name)}"
        return ""
