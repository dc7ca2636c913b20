"""The bill of materials: all that is locked and vendored stands in it, and nothing of this machine."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripts import sbom
from tests.packaging.test_lock import locked
from tests.support.paths import ROOT
from xdpwall.version import __version__


@pytest.fixture(scope="module")
def text() -> str:
    return sbom.document()


@pytest.fixture(scope="module")
def components(text: str) -> dict[str, dict[str, Any]]:
    """The components by their package address."""
    return {one["purl"]: one for one in json.loads(text)["components"]}


def test_each_locked_package_is_there_with_its_hashes(
    components: dict[str, dict[str, Any]],
) -> None:
    expected = set()
    for name, found in locked().items():
        for one in found:
            (version,) = one.specifier
            expected.add(f"pkg:pypi/{name}@{version.version}")
    assert {purl for purl in components if purl.startswith("pkg:pypi/")} == expected
    for purl in expected:
        (where,) = components[purl]["externalReferences"]
        assert where["hashes"], purl


def test_each_file_of_the_page_that_is_not_ours_is_there_with_its_licence(
    components: dict[str, dict[str, Any]],
) -> None:
    vendored = [one for purl, one in components.items() if purl.startswith("pkg:npm/")]
    files = {file["name"] for one in vendored for file in one["components"]}
    on_disk = {f"web/vendor/{path.name}" for path in (ROOT / "web/vendor").iterdir()}
    assert files == on_disk - {"web/vendor/manifest.json"}
    licences = {one["name"]: one["licenses"][0]["license"]["id"] for one in vendored}
    assert licences == {"htm": "Apache-2.0", "preact": "MIT"}


def test_it_is_of_this_version_and_the_same_each_time(text: str) -> None:
    program = json.loads(text)["metadata"]["component"]
    assert (program["name"], program["version"]) == ("xdpwall", __version__)
    assert sbom.document() == text
    assert str(ROOT) not in text


def test_it_keeps_to_the_schema(text: str) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
