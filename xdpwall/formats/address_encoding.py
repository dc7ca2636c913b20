"""Recognizes by its first bytes a file that is no list of addresses in ASCII or UTF-8. Pure."""

from __future__ import annotations

from xdpwall.errors import InvalidInput

HEAD = 64
"""Bytes that are looked at."""

_FORMATS = (
    (b"\xff\xfe\x00\x00", "UTF-32", "iconv -f UTF-32 -t UTF-8"),
    (b"\x00\x00\xfe\xff", "UTF-32", "iconv -f UTF-32 -t UTF-8"),
    (b"\xff\xfe", "UTF-16", "iconv -f UTF-16 -t UTF-8"),
    (b"\xfe\xff", "UTF-16", "iconv -f UTF-16 -t UTF-8"),
    (b"BZh", "compressed by bzip2", "bzip2 -dc"),
    (b"\xfd7zXZ\x00", "compressed by xz", "xz -dc"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "zstd -dc"),
    (b"PK\x03\x04", "a zip archive", "unzip -p"),
)
"""(first bytes, what the file is, what makes text of it)."""


def refuse_other_encoding(head: bytes, name: str) -> None:
    """Raise InvalidInput "encoding" when the first HEAD bytes of a file are not those of plain text."""
    found = next((row[1:] for row in _FORMATS if head.startswith(row[0])), None) or _utf16(head)
    if found is None:
        if _is_binary(head):
            raise InvalidInput(
                f"{name}: is a binary file; wanted plain text, in ASCII or UTF-8, or that gzipped",
                field="file",
                value=name,
                code="encoding",
                hint="nothing was changed; a list has an address, a prefix or a range a line",
            )
        return
    what, command = found
    raise InvalidInput(
        f"{name}: is {what}; wanted plain text, in ASCII or UTF-8, or that gzipped",
        field="file",
        value=name,
        code="encoding",
        hint=f"nothing was changed; {command} FILE | xdpwall set load NAME -",
    )


def _is_binary(head: bytes) -> bool:
    """Whether more than a quarter of the bytes are control characters that no text has."""
    return sum(byte < 32 and byte not in b"\t\n\v\f\r\x1b" for byte in head) * 4 > len(head)


def _utf16(head: bytes) -> tuple[str, str] | None:
    """UTF-16 without a byte order mark: of ASCII text every second byte is zero."""
    for odd, kind in ((1, "UTF-16LE"), (0, "UTF-16BE")):
        zeros, letters = head[odd::2], head[1 - odd :: 2]
        if len(zeros) > 1 and not any(zeros) and all(letters):
            return kind, f"iconv -f {kind} -t UTF-8"
    return None
