"""Run a real Docker daemon in a network namespace of its own, from unpacked Debian packages.

Installing docker.io would start a daemon and change the machine's iptables; here nothing is
installed. The daemon has a mount and a process namespace of its own too, so that killing one
process ends every container and takes every mount along.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import http.client
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Self

from tests.support.debs import unpacked
from tests.support.net.netns import Namespace, wait_for

PACKAGES = ("docker.io", "containerd", "runc", "libdevmapper1.02.1", "libseccomp2")
START = 300.0
"""Seconds that the daemon may take to answer."""

# What the daemon writes to /run and /etc whatever its options say stays in its mount namespace.
_START = """
set -e
mount -t tmpfs tmpfs /run
mkdir "$1/over"
mount -t tmpfs tmpfs "$1/over"
mkdir "$1/over/upper" "$1/over/work"
mount -t overlay -o "lowerdir=/etc,upperdir=$1/over/upper,workdir=$1/over/work" overlay /etc
echo '{}' > "$1/daemon.json"
exec dockerd --config-file "$1/daemon.json" --data-root "$1/data" --exec-root "$1/exec" \\
    -H "unix://$1/docker.sock" --pidfile "$1/docker.pid" --storage-driver vfs \\
    --userland-proxy=false --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$2"
"""


class Docker:
    """The daemon while the context lasts; `docker("ps")` is its command line."""

    def __init__(self, space: Namespace, tag: str) -> None:
        self.space = space
        self.tag = tag
        self._resources = contextlib.ExitStack()

    def __enter__(self) -> Self:
        root = unpacked("docker", *PACKAGES)
        with contextlib.ExitStack() as stack:
            # Short: the daemon's sockets below it have at most 107 characters.
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xwt-")))
            stack.callback(self._remove_groups)
            libraries = [path for top in ("lib", "usr/lib") for path in (root / top).glob("*-gnu")]
            self.environ = {
                "PATH": f"{root}/usr/sbin:{root}/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
                "DOCKER_CONFIG": str(self.folder / "config"),
                "HOME": str(self.folder),
            }
            alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
            start = [*alone, "sh", "-c", _START, "sh", str(self.folder), self.tag]
            with (self.folder / "log").open("wb") as log:
                daemon = subprocess.Popen(
                    self.space.argv(*start), env=self.environ, stdout=log, stderr=log
                )
            self.unshared = daemon.pid
            stack.callback(daemon.wait)
            stack.callback(daemon.kill)
            wait_for(lambda: self._answers(daemon), "dockerd answers", timeout=START, every=0.1)
            self._resources = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def __call__(self, *words: str) -> str:
        """Run `docker WORDS`; its output, AssertionError when it fails."""
        done = self._run(*words)
        log = (self.folder / "log").read_text()
        assert done.returncode == 0, f"docker {' '.join(words)}: {done.stderr}\n{log}"
        return done.stdout.strip()

    def beside(self) -> list[str]:
        """What goes before a command that is to run where the daemon does: among its processes and mounts,
        as everything of a host whose daemon has no namespaces of its own."""
        first = Path(f"/proc/{self.unshared}/task/{self.unshared}/children").read_text().split()[0]
        return ["nsenter", f"--pid=/proc/{first}/ns/pid", f"--mount=/proc/{first}/ns/mnt"]

    def serve_page(self, *options: str) -> str:
        """Start a container that serves a page on port 80; its address on docker0. `options`: of `docker run`.

        No registry is asked: the image is busybox and one file.
        """
        image = self.folder / "image.tar"
        page = self.folder / "index.html"
        page.write_text("hello\n")
        with tarfile.open(image, "w") as archive:
            archive.add("/bin/busybox", "bin/busybox")
            archive.add(page, "www/index.html")
        # A daemon that has just begun to answer may still close a connection in the middle of an image.
        take = ("import", str(image), "web:1")
        wait_for(lambda: self._run(*take).returncode == 0, "the image is taken")
        httpd = ("/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/www")
        self("run", "--detach", "--name", "web", *options, "web:1", *httpd)
        self._resources.callback(self, "rm", "--force", "web")
        return self("inspect", "--format", "{{.NetworkSettings.IPAddress}}", "web")

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        line = ["docker", "-H", f"unix://{self.folder}/docker.sock", *words]
        return subprocess.run(line, env=self.environ, capture_output=True, text=True, check=False)

    def _answers(self, daemon: subprocess.Popen[bytes]) -> bool:
        assert daemon.poll() is None, (self.folder / "log").read_text()
        return self._run("version").returncode == 0

    def _remove_groups(self) -> None:
        """The control groups of this daemon's containers, innermost first."""
        for pattern in (self.tag, f"*/{self.tag}"):
            for top in Path("/sys/fs/cgroup").glob(pattern):
                wait_for(functools.partial(_removed, top), f"{top} can be removed", every=0.05)


def _removed(top: Path) -> bool:
    """Whether the control group could be removed; killed processes may not have left it yet."""
    with contextlib.suppress(FileNotFoundError):
        for folder, _, _ in os.walk(top, topdown=False):
            try:
                os.rmdir(folder)
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                return False
    return True


def fetch(space: Namespace, address: str, port: int = 80, seconds: float = 60.0) -> bytes:
    """The page that serve_page() serves; empty where nobody answers."""
    connection = http.client.HTTPConnection(address, port, timeout=seconds)
    try:
        with space.inside():
            connection.connect()
        connection.request("GET", "/")
        return connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return b""
    finally:
        connection.close()
