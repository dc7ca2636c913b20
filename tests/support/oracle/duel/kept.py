"""Cases that failed once, as files: found by fuzzing, run ever after."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tests.support.oracle.duel.case import Case
from tests.support.paths import ROOT

FOLDER = ROOT / "tests" / "packets" / "cases"


def keep(case: Case, about: str, folder: Path = FOLDER) -> Path:
    """Write the case to a file named after what is in it; `about` is for who reads it."""
    body = case.to_json()
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{digest}.json"
    path.write_text(json.dumps({"about": about.splitlines(), **body}, indent=1) + "\n")
    return path


def load(path: Path) -> Case:
    """The case in a file."""
    return Case.from_json(json.loads(path.read_text()))


def kept(folder: Path = FOLDER) -> list[Path]:
    """Every file with a case."""
    return sorted(folder.glob("*.json"))
