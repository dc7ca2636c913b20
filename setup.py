"""Compiles the BPF objects before a wheel takes them in. Everything else is in pyproject.toml."""

import subprocess

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithObjects(build_py):
    def run(self) -> None:
        # By the link's path: a source distribution holds real files there. `pip install -e`
        # swallows a failure of this; the loader then says "run make bpf".
        subprocess.run(["make", "-C", "xdpwall/bpf"], check=True)
        super().run()


setup(cmdclass={"build_py": BuildWithObjects})
