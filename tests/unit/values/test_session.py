"""SSH_CONNECTION as it is, and as anybody may set it."""

from __future__ import annotations

import pytest

from xdpwall.values.session import read_session


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("10.0.0.2 4000 10.0.0.1 22", "10.0.0.2 4000 10.0.0.1 22"),
        ("::ffff:10.0.0.2 4000 10.0.0.1 22", "10.0.0.2 4000 10.0.0.1 22"),
        ("fe80::2%eth0 4000 fe80::1%eth0 22", "fe80::2%eth0 4000 fe80::1%eth0 22"),
    ],
)
def test_what_sshd_says(text: str, read: str) -> None:
    session = read_session(text)
    assert session is not None
    assert session.text == read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.0.0.2 4000 10.0.0.1",
        "10.0.0.2 0 10.0.0.1 22",
        "10.0.0.2 4000 10.0.0.1 65536",
        "UNKNOWN 65535 UNKNOWN 65535",
        "10.0.0.2 4000 2001:db8::1 22",
        "2001:db8::2 4000 10.0.0.1 22",
    ],
)
def test_what_is_none(text: str) -> None:
    assert read_session(text) is None
