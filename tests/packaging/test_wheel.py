"""The wheel: its files, and that it works without a compiler and without a checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from xdpwall.api.serving import bundle

pytestmark = pytest.mark.host  # what it builds with and needs is downloaded

NETWORK = {"PIP_RETRIES": "10", "PIP_DEFAULT_TIMEOUT": "60"}
"""Retries of downloads."""
OBJECTS = {
    f"xdpwall/bpf/{n}.bpf.o"
    for n in ("xdp", "tc", "xdp_rated", "tc_rated", "explain_xdp", "explain_tc")
}


def tracked() -> list[str]:
    """Every file that a commit of the present state would hold, relative to the root."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [name for name in done.stdout.split("\0") if name and os.path.lexists(ROOT / name)]


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run a command and return its stdout; a failure shows its whole output."""
    done = subprocess.run(command, check=False, cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the source distribution of a clean copy and the wheel built from it."""
    copy = tmp_path_factory.mktemp("copy")
    for name in tracked():
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)
    run(sys.executable, "-m", "build", cwd=copy, env={**os.environ, **NETWORK})
    return copy / "dist"


def wheel_names(dist: Path) -> set[str]:
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_the_wheel_holds_the_tracked_files_and_the_objects_and_nothing_else(dist: Path) -> None:
    expected = set(OBJECTS)
    for name in tracked():
        top, _, rest = name.partition("/")
        if not rest or (top == "xdpwall" and (ROOT / name).is_symlink()):
            continue
        if top == "xdpwall":
            expected.add(name)
        elif top in {"api", "bpf", "web"}:
            expected.add(f"xdpwall/{name}")
    assert wheel_names(dist) == expected


def test_the_source_distribution_holds_no_objects(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"xdpwall/bpf/xdp.bpf.c", "setup.py", "LICENSES/GPL-2.0-only.txt"} <= names
    assert not {name for name in names if name.endswith(".o")}


@pytest.fixture(scope="module")
def bare(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with only the wheel and its dependencies."""
    (wheel,) = dist.glob("*.whl")
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=True)
    install: list[str | Path] = [
        folder / "bin/python",
        "-m",
        "pip",
        "install",
        "--quiet",
        str(wheel),
    ]
    run(*install, cwd=folder, env={**os.environ, **NETWORK})
    return folder


def test_the_wheel_runs_without_a_compiler(bare: Path) -> None:
    env = {"PATH": str(bare / "bin"), "HOME": str(bare)}
    said = run(bare / "bin/xdpwall", "version", cwd=bare, env=env)
    assert said.split()[:2] == ["xdpwall", "0.1.0"]
    code = "import xdpwall.bpf, importlib.resources as r; f = r.files('xdpwall') / 'bpf';"
    code += "print((f / 'xdp.bpf.o').read_bytes()[:4] == b'\\x7fELF')"
    assert run(bare / "bin/python", "-I", "-c", code, cwd=bare, env=env).strip() == "True"


def test_the_page_is_in_the_wheel_and_can_be_bundled(bare: Path) -> None:
    code = "import importlib.resources as r; from xdpwall.api.serving import bundle;"
    code += "web = r.files('xdpwall') / 'web';"
    code += "print(len(bundle.bundle_scripts(web)), len(bundle.bundle_sheets(web)))"
    script, sheet = run(bare / "bin/python", "-I", "-c", code, cwd=bare).split()
    assert int(script) == len(bundle.bundle_scripts(ROOT / "web"))
    assert int(sheet) == len(bundle.bundle_sheets(ROOT / "web"))


def test_there_is_no_module_called_api(bare: Path) -> None:
    code = "import importlib.util as u; import xdpwall.api; print(u.find_spec('api'))"
    assert run(bare / "bin/python", "-I", "-c", code, cwd=bare).strip() == "None"
