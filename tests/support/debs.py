"""Unpack Debian packages without installing them, for programs whose installation would change the machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.support.net.netns import command
from tests.support.paths import ROOT

BUILD = ROOT / "build"
RETRIES = ("-o", "Acquire::Retries=5")


def unpacked(name: str, *packages: str) -> Path:
    """The folder with the unpacked packages; downloaded once, kept below build/NAME."""
    root = BUILD / name / "root"
    if not root.is_dir():
        debs, fresh = BUILD / name / "debs", BUILD / name / "unpacking"
        for folder in (debs, fresh):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        download = ["apt-get", "download", "-qq", *RETRIES, *packages]
        if subprocess.run(download, cwd=debs, capture_output=True, check=False).returncode:
            command("apt-get", "update", "-qq", *RETRIES)
            subprocess.run(download, cwd=debs, capture_output=True, check=True)
        for deb in debs.glob("*.deb"):
            command("dpkg-deb", "-x", str(deb), str(fresh))
        shutil.rmtree(debs)
        fresh.rename(root)
    return root
