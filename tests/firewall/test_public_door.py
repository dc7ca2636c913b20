"""The public door: docs/reference/python.md says what it does."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

import xdpwall
from tests.firewall.support import Site
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")


def test_the_example_prints_what_the_page_says(site: Site) -> None:
    found = re.findall(r"^```(?:python)?\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    code, printed = found
    settings = site.settings
    paths = (settings.state_dir, settings.bpffs, settings.socket)
    here = f"Settings({', '.join(f'Path({str(path)!r})' for path in paths)})"
    code = "from pathlib import Path\n" + code.replace("Settings()", here)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (printed, "")


def test_each_public_name_is_there_and_no_other() -> None:
    for name in xdpwall.__all__:
        assert getattr(xdpwall, name).__doc__ or name == "__version__"
    with pytest.raises(AttributeError):
        _ = xdpwall.Tables


def test_the_door_alone_imports_nothing_heavy() -> None:
    code = "import sys, xdpwall; print(*sorted(n for n in sys.modules if n.startswith('xdpwall')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["xdpwall", "xdpwall.version"]
