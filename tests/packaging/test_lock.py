"""requirements.lock: what packages install, within pyproject.toml's ranges, each file with its hash."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import ROOT


def locked(lock: str = "requirements.lock") -> dict[str, list[Requirement]]:
    """A lock's requirements by name; a name may stand there once for each Python."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    found: dict[str, list[Requirement]] = {}
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            requirement, *hashes = re.split(r"\s+--hash=", line.strip())
            assert hashes, f"{requirement} has no hash"
            assert all(re.fullmatch("sha256:[0-9a-f]{64}", one) for one in hashes), requirement
            one = Requirement(requirement)
            found.setdefault(canonicalize_name(one.name), []).append(one)
    return found


def ranges() -> list[Requirement]:
    """What pyproject.toml asks for."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        return [Requirement(one) for one in tomllib.load(file)["project"]["dependencies"]]


def within(wanted: Requirement, found: list[Requirement]) -> None:
    """Fail unless a requirement is locked, and in its range."""
    assert found, "run: make lock"
    for one in found:
        (version,) = one.specifier
        assert version.operator == "=="
        assert wanted.specifier.contains(version.version), f"{one}: run make lock"


@pytest.mark.parametrize("wanted", ranges(), ids=lambda one: one.name)
def test_each_dependency_is_locked_within_its_range(wanted: Requirement) -> None:
    within(wanted, locked().get(canonicalize_name(wanted.name), []))


@pytest.mark.parametrize("tools", ["build", "sbom"])
def test_what_packages_are_made_with_is_locked_within_its_range(tools: str) -> None:
    lines = (ROOT / f"packaging/{tools}.in").read_text(encoding="utf-8").splitlines()
    wanted = {one.name: one for one in map(Requirement, (x for x in lines if x[:1] != "#"))}
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    also = project["build-system"]["requires"] + project["project"]["optional-dependencies"]["dev"]
    others = {one.name: one for one in map(Requirement, also)}
    for one in wanted.values():
        assert others.get(one.name, one) == one
        within(one, locked(f"packaging/{tools}.lock").get(one.name, []))


@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_each_version_of_python_gets_one_version_of_each(python: str) -> None:
    environment = {"python_version": python, "python_full_version": f"{python}.2"}
    for name, found in locked().items():
        chosen = [one for one in found if one.marker is None or one.marker.evaluate(environment)]
        assert len(chosen) <= 1, f"{name}: {chosen}"
        if name in {canonicalize_name(one.name) for one in ranges()}:
            assert chosen, f"{name} is missing for Python {python}"
