"""python -m scripts.oci build/oci: the folder that `docker build` makes the container image of.

A bare Debian with the package in it, as root.tar, and packaging/oci/Dockerfile.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
from pathlib import Path

from scripts.debian.bare_root import BareRoot
from scripts.test_deb import SUITE, build, install

ROOT = Path(__file__).parents[1]
DOCKERFILE = ROOT / "packaging" / "oci" / "Dockerfile"
_LEFT_OUT = ("./root/*", "./var/cache/apt/*", "./var/lib/apt/lists/*", "./var/log/*", "./tmp/*")


def main() -> None:
    """Make the folder."""
    parser = argparse.ArgumentParser(prog="python -m scripts.oci", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--deb", type=Path, help="this package; built when none is given")
    options = parser.parse_args()
    make_context(options.folder, options.deb or build(ROOT / "dist"))


def make_context(folder: Path, deb: Path) -> None:
    """Write root.tar and Dockerfile into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(DOCKERFILE, folder / "Dockerfile")
    with BareRoot.unpacked(SUITE) as root:
        install(root, deb)
        root.return_network()
        left_out = [f"--exclude={pattern}" for pattern in _LEFT_OUT]
        subprocess.run(
            [
                "tar",
                "-C",
                root.folder,
                *left_out,
                "--numeric-owner",
                "-cf",
                folder / "root.tar",
                ".",
            ],
            check=True,
        )


if __name__ == "__main__":
    main()
