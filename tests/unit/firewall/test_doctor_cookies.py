"""What doctor says of net.ipv4.tcp_syncookies."""

from __future__ import annotations

from pathlib import Path

import pytest

from xdpwall.firewall.doctor_cookies import check_cookies


@pytest.mark.parametrize(
    ("value", "status", "words", "todo"),
    [
        ("0\n", "warn", "let every SYN pass", "tcp_syncookies=1"),
        ("1\n", "pass", "queue of a listening socket", None),
        ("2\n", "warn", "docker-proxy", "tcp_syncookies=1"),
        (None, "warn", "this kernel has none", None),
    ],
)
def test_each_value(
    tmp_path: Path, value: str | None, status: str, words: str, todo: str | None
) -> None:
    setting = tmp_path / "tcp_syncookies"
    if value is not None:
        setting.write_text(value)
    check = check_cookies(setting)
    assert (check.name, check.status) == ("SYN cookies", status)
    assert words in check.found and (todo in (check.todo or "") if todo else check.todo is None)
