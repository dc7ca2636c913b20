"""h11's patterns of header and chunk lines, in linear time.

h11 0.16 has two repeats of blanks side by side: a header of 64 KB of them before a NUL takes 23 s,
in the event loop and before any check of ours. These take the same lines and give the same groups;
only a lone carriage return in a chunk's extension, which h11 lets pass, is refused.
"""

from __future__ import annotations

import re

from h11 import _abnf, _readers

_HEADER = re.compile(
    rf"(?P<field_name>{_abnf.field_name}):[ \t]*+"
    rf"(?P<field_value>{_abnf.field_value})[ \t]*".encode("ascii")
)
_CHUNK = re.compile(
    rf"(?P<chunk_size>{_abnf.chunk_size})(?P<chunk_ext>;[^\r\n]*+)?[ \t]*+\r\n".encode("ascii")
)


def install_h11_patterns() -> None:
    """Make h11 read by these patterns, in this process."""
    _readers.header_field_re = _HEADER
    _readers.chunk_header_re = _CHUNK
