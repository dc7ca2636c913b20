"""Real servers of Debian's in a namespace: nginx, dropbear, vsftpd, dnsmasq.

None of them is installed as a service: two packages are unpacked only, the others have no unit.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.support.debs import unpacked
from tests.support.net.netns import Namespace, command, wait_for

HTTP1, HTTP2, FTP, SSH, DNS = 80, 81, 21, 22, 53
_NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors; user root;
events {{ worker_connections 64; }}
http {{
  access_log off; client_max_body_size 0; root {files};
  {temporary}
  server {{ listen [::]:80 ipv6only=off; dav_methods PUT; }}
  server {{ listen [::]:81 ipv6only=off http2; }}
}}
"""
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_VSFTPD = """
listen=NO
listen_ipv6=YES
background=NO
anonymous_enable=YES
run_as_launching_user=YES
anon_root={files}
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
ftp_username=nobody
nopriv_user=nobody
secure_chroot_dir={empty}
"""


@contextlib.contextmanager
def server(
    space: Namespace, folder: Path, port: int, *argv: str, udp: bool = False
) -> Iterator[None]:
    """Run a program in the namespace that stays in the foreground, from when it listens on the port."""
    log = folder / f"{Path(argv[0]).name}-{port}.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(space.argv(*argv), stdout=sink, stderr=sink)
    try:

        def listens() -> bool:
            assert process.poll() is None, log.read_text()
            return bool(space.run("ss", "-Hlnu" if udp else "-Hlnt", f"sport = :{port}"))

        wait_for(listens, f"{argv[0]} listens on {port}")
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def nginx(space: Namespace, folder: Path, files: Path) -> Iterator[None]:
    """HTTP/1.1 on port 80, which takes PUT too, and HTTP/2 on port 81."""
    own = folder / f"nginx-{space.name}"
    own.mkdir()
    temporary = " ".join(f"{one}_temp_path {own}/{one};" for one in _TEMPORARY)
    config = own / "nginx.conf"
    config.write_text(_NGINX.format(folder=own, files=files, temporary=temporary))
    binary = unpacked("servers", "nginx", "vsftpd", "libwrap0") / "usr/sbin/nginx"
    argv = (str(binary), "-p", str(own), "-e", f"{own}/errors", "-c", str(config))
    with server(space, folder, HTTP1, *argv):
        yield


@contextlib.contextmanager
def vsftpd(space: Namespace, folder: Path, files: Path) -> Iterator[None]:
    """Anonymous FTP on port 21, of files of root's."""
    config = folder / "vsftpd.conf"
    empty = folder / "empty"
    empty.mkdir()
    config.write_text(_VSFTPD.format(files=files, empty=empty))
    root = unpacked("servers", "nginx", "vsftpd", "libwrap0")
    (libraries,) = (root / "usr/lib").glob("*-gnu")
    argv = ("env", f"LD_LIBRARY_PATH={libraries}", f"{root}/usr/sbin/vsftpd", str(config))
    with server(space, folder, FTP, *argv):
        yield


@contextlib.contextmanager
def dnsmasq(space: Namespace, folder: Path, *options: str, port: int = DNS) -> Iterator[None]:
    """A name server for `answer.test`, and what the options say."""
    argv = (
        *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-hosts", "--user=root"),
        *("--no-resolv", "--address=/answer.test/192.0.2.7", f"--pid-file={folder}/dnsmasq.pid"),
        *(f"--dhcp-leasefile={folder}/leases", *options),
    )
    with server(space, folder, port, *argv, udp=True):
        yield


class SshKeys:
    """Keys of a server and of root, who logs in by his, wherever dropbear runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key, self.host_key = folder / "key", folder / "host_key"
        home = folder / "home"
        for path in (home, home / ".ssh"):
            path.mkdir(0o700)
        for key in (self.key, self.host_key):
            command("dropbearkey", "-t", "ed25519", "-f", str(key))
        said = command("dropbearkey", "-y", "-f", str(self.key))
        (line,) = (one for one in said.splitlines() if one.startswith("ssh-"))
        (home / ".ssh" / "authorized_keys").write_text(line + "\n")
        self.passwd = folder / "passwd"
        self.passwd.write_text(f"root:x:0:0:root:{home}:/bin/sh\n")

    @contextlib.contextmanager
    def serve(self, space: Namespace) -> Iterator[None]:
        """dropbear on port 22; its root's home is the one with the key."""
        script = 'mount --bind "$1" /etc/passwd; shift; exec "$@"'
        options = ("-F", "-E", "-s", "-r", str(self.host_key), "-P", f"{self.folder}/{space.name}")
        daemon = ("dropbear", *options, "-p", str(SSH))
        with server(
            space,
            self.folder,
            SSH,
            *("unshare", "-m", "sh", "-c", script, "sh"),
            str(self.passwd),
            *daemon,
        ):
            yield

    def client(self, address: str, line: str) -> list[str]:
        """The command line that runs `line` on the server there."""
        home = f"HOME={self.folder}/home"
        return ["env", home, "dbclient", "-y", "-y", "-i", str(self.key), f"root@{address}", line]
