"""The wheel: its files, and that it works without a compiler and without a checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import ROOT
from xdpwall.api.serving import bundle
from xdpwall.kernel.bpf.objects import PROGRAM_OBJECTS

OBJECTS = {f"xdpwall/bpf/{n}.bpf.o" for n in (*PROGRAM_OBJECTS, "explain_xdp", "explain_tc")}


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


def commit(folder: Path, umask: int) -> Path:
    """A repository whose one commit is the present state, its files under an umask."""
    for name in tracked():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)
        if not target.is_symlink():
            target.chmod((ROOT / name).stat().st_mode & ~umask)
    who = ["-c", "user.name=tests", "-c", "user.email=tests@xdpwall.example"]
    date = {"GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_DATE": "1700000000 +0000"}
    run("git", "init", "--quiet", cwd=folder)
    run("git", "add", "--all", cwd=folder)
    run("git", *who, "commit", "--quiet", "-m", "all", cwd=folder, env={**os.environ, **date})
    return folder


def built(copy: Path) -> Path:
    """The folder into which packaging/dist has built a commit, by the tools that run the tests."""
    env = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    run("packaging/dist", "dist", cwd=copy, env={**env, "BUILD_PYTHON": sys.executable})
    return copy / "dist"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the source distribution of a commit and the wheel built from it."""
    return built(commit(tmp_path_factory.mktemp("copy"), 0o022))


def test_two_builds_of_a_commit_give_the_same_bytes(dist: Path, tmp_path: Path) -> None:
    other = commit(tmp_path / "in" / "another folder", 0o077)
    for path in (other / "bpf").iterdir():
        os.utime(path, (1_000_000_000, 1_000_000_000))
    again = built(other)
    names = sorted(path.name for path in dist.iterdir())
    assert [name.partition("-")[0] for name in names] == ["xdpwall", "xdpwall"]
    assert sorted(path.name for path in again.iterdir()) == names
    for name in names:
        assert (again / name).read_bytes() == (dist / name).read_bytes(), f"{name} differs"


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
        elif top in {"api", "bpf", "web"} or (top == "docs" and name.endswith(".md")):
            expected.add(f"xdpwall/{name}")
    assert wheel_names(dist) == expected


def test_the_source_distribution_holds_no_objects(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"xdpwall/bpf/xdp.bpf.c", "setup.py", "LICENSES/GPL-2.0-only.txt"} <= names
    assert not {name for name in names if name.endswith(".o")}


def collect(requires: list[str] | None, found: dict[str, metadata.Distribution]) -> None:
    """Add what requirements name, of what is installed here, and what that needs."""
    for wanted in map(Requirement, requires or ()):
        name = canonicalize_name(wanted.name)
        if name not in found and (wanted.marker is None or wanted.marker.evaluate({"extra": ""})):
            found[name] = metadata.distribution(name)
            collect(found[name].requires, found)


@pytest.fixture(scope="module")
def bare(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel and what it says that it needs, as installed here."""
    (wheel,) = dist.glob("*.whl")
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder)
    python = folder / "bin/python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel), cwd=folder)
    (site,) = folder.glob("lib/python3*/site-packages")
    (installed,) = metadata.distributions(path=[str(site)])
    found: dict[str, metadata.Distribution] = {}
    collect(installed.requires, found)
    for distribution in found.values():
        for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(str(distribution.locate_file(top)))
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
