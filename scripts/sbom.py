"""The bill of materials of a release, in CycloneDX: what the lock installs and what the page carries.

cyclonedx-py reads requirements.lock; the page's files are those of web/vendor/manifest.json, by their
npm packages. The same commit gives the same bytes: no time and no serial number stand in it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from xdpwall.version import __version__

ROOT = Path(__file__).resolve().parent.parent
LOCK = "requirements.lock"


def locked() -> dict[str, Any]:
    """The document of the Python packages, by cyclonedx-py, which checks it against the schema."""
    command = [sys.executable, "-m", "cyclonedx_py", "requirements", LOCK, "--pyproject"]
    command += ["pyproject.toml", "--output-reproducible", "--spec-version", "1.6"]
    command += ["--index-url", "https://pypi.org/simple", "--output-format", "JSON"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def vendored() -> list[dict[str, Any]]:
    """A component for each npm package of the manifest, its licence that of the text beside it."""
    entries = json.loads((ROOT / "web/vendor/manifest.json").read_text(encoding="utf-8"))
    components: dict[str, dict[str, Any]] = {}
    for entry in entries:
        purl = f"pkg:npm/{entry['package']}@{entry['version']}"
        component = components.setdefault(
            purl,
            {
                "bom-ref": purl,
                "type": "library",
                "name": entry["package"],
                "version": entry["version"],
                "purl": purl,
                "licenses": [],
                "components": [],
            },
        )
        if entry["source"] == "LICENSE":
            component["licenses"] = [{"license": {"id": entry["license"]}}]
        path = f"web/vendor/{entry['path']}"
        hashes = [{"alg": "SHA-256", "content": entry["sha256"]}]
        file = {"type": "file", "bom-ref": path, "name": path, "hashes": hashes}
        component["components"].append(file)
    return list(components.values())


def document() -> str:
    """The whole document as JSON."""
    whole = locked()
    program = whole["metadata"]["component"]
    program["version"] = __version__
    program["purl"] = f"pkg:pypi/xdpwall@{__version__}"
    whole["components"] += vendored()
    direct = sorted(component["bom-ref"] for component in whole["components"])
    others = [one for one in whole["dependencies"] if one["ref"] != program["bom-ref"]]
    whole["dependencies"] = [{"ref": program["bom-ref"], "dependsOn": direct}, *others]
    return json.dumps(whole, indent=2, sort_keys=True) + "\n"


def main() -> None:
    """Write the document into the folder that is named: python -m scripts.sbom dist."""
    target = Path(sys.argv[1]) / f"xdpwall-{__version__}.cdx.json"
    target.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
