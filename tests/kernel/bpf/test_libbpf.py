"""The library itself: absent, or with words for its errors."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from xdpwall.errors import (
    Conflict,
    Failed,
    Full,
    NeedsPrivileges,
    NotFound,
    Unsupported,
    XdpwallError,
)
from xdpwall.kernel.bpf.libbpf import check, cpus, lib
from xdpwall.kernel.os_errors import os_error


def test_without_libbpf_it_says_what_to_install(tmp_path: Path) -> None:
    """A file that is no library stands in the linker's way, as a missing one would."""
    (tmp_path / "libbpf.so.1").write_bytes(b"")
    script = """
from xdpwall.errors import Unsupported
from xdpwall.kernel.bpf.maps import create_map
try:
    create_map(2, "a", 4, 8, 1)
except Unsupported as error:
    print(error.code, error.message, error.hint, sep="|")
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "LD_LIBRARY_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "no-libbpf|libbpf.so.1 is missing|apt-get install libbpf1\n"


def test_possible_cpus() -> None:
    last = Path("/sys/devices/system/cpu/possible").read_text().strip().split("-")[-1]
    assert cpus() == int(last) + 1
    assert lib().libbpf_version_string().startswith(b"v1.")


@pytest.mark.parametrize(
    ("number", "kind", "exit_code"),
    [
        (errno.EPERM, NeedsPrivileges, 4),
        (errno.EACCES, NeedsPrivileges, 4),
        (errno.E2BIG, Full, 1),
        (errno.ENOMEM, Full, 1),
        (errno.ENOSPC, Full, 1),
        (errno.ENOENT, NotFound, 3),
        (errno.EBUSY, Conflict, 5),
        (errno.EEXIST, Conflict, 5),
        (errno.EOPNOTSUPP, Unsupported, 6),
        (524, Unsupported, 6),
        (errno.EINVAL, Failed, 1),
        (4003, Failed, 1),
    ],
)
def test_the_error_of_each_errno(number: int, kind: type[XdpwallError], exit_code: int) -> None:
    with pytest.raises(XdpwallError, match="it broke") as caught:
        check(-number, "it broke", hint="do this")
    assert type(caught.value) is kind
    assert caught.value.exit_code == exit_code
    assert caught.value.hint == "do this"
    assert f"({number})" in (caught.value.detail or "")


def test_a_result_that_is_no_error() -> None:
    assert check(7, "never") == 7


def test_more_goes_below_the_errno() -> None:
    assert os_error(errno.E2BIG, "full", more="two\nlines").detail == (
        "E2BIG (7): Argument list too long\ntwo\nlines"
    )
