"""Where an instance lives: flag over environment over /etc/xdpwall/config.toml over default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import InvalidInput

CONFIG_FILE = Path("/etc/xdpwall/config.toml")
PATHS = {
    "state_dir": ("XDPWALL_STATE_DIR", "/var/lib/xdpwall"),
    "bpffs": ("XDPWALL_BPFFS", "/sys/fs/bpf/xdpwall"),
    "socket": ("XDPWALL_SOCKET", "/run/xdpwall/xdpwall.sock"),
    "containers": ("XDPWALL_CONTAINERS", "/run/xdpwall-containers/containers.json"),
}
"""By key of config.toml: the variable of the environment, and the default."""
SERVICE_TABLES = ("roles", "tls")
"""Tables of config.toml that only the service reads."""
MAX_SOCKET_PATH = 107
"""Bytes of a unix socket's path that the kernel takes."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The three paths that name an instance, and where the names of containers are handed over."""

    state_dir: Path = Path("/var/lib/xdpwall")
    bpffs: Path = Path("/sys/fs/bpf/xdpwall")
    socket: Path = Path("/run/xdpwall/xdpwall.sock")
    containers: Path = Path("/run/xdpwall-containers/containers.json")

    @classmethod
    def load(
        cls,
        flags: Mapping[str, str | None] | None = None,
        environ: Mapping[str, str] = os.environ,
        config: Path = CONFIG_FILE,
    ) -> Settings:
        """Merge the sources; InvalidInput names the key of config.toml that is wrong."""
        flags = flags or {}
        from_file = _paths_of(config, _read_config(config))
        values = {}
        for key, (variable, default) in PATHS.items():
            text = flags.get(key) or environ.get(variable) or from_file.get(key) or default
            path = Path(text)
            if not path.is_absolute():
                raise InvalidInput(
                    f"{key} must be an absolute path, got {text!r}", field=key, value=text
                )
            values[key] = path
        check_socket_path(values["socket"])
        return cls(**values)


def check_socket_path(path: Path) -> None:
    """InvalidInput for a path at which no unix socket can be."""
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise InvalidInput(
            f"socket: {str(path)!r} is too long; wanted at most {MAX_SOCKET_PATH} bytes",
            field="socket",
            value=str(path),
            hint="give a shorter --socket, or XDPWALL_SOCKET",
        )


def service_tables(config: Path | None = None) -> dict[str, dict[str, Any]]:
    """The tables of SERVICE_TABLES that the file, CONFIG_FILE where None, has; InvalidInput."""
    config = config or CONFIG_FILE
    data = _read_config(config)
    _paths_of(config, data)
    return {name: data[name] for name in SERVICE_TABLES if name in data}


def _read_config(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}: not TOML: {error}", field=str(path)) from error
    import tomllib  # most hosts have no such file, and every command comes here

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{path}: not TOML: {error}", field=str(path)) from error


def _paths_of(path: Path, data: Mapping[str, Any]) -> dict[str, str]:
    """What the file says of the instance's paths; what it says of the service is only looked at."""
    for key, value in data.items():
        if key in SERVICE_TABLES:
            if not isinstance(value, dict):
                raise InvalidInput(
                    f"{path}: {key} must be a table, got {value!r}", field=key, value=value
                )
            continue
        if key not in PATHS:
            known = ", ".join((*PATHS, *SERVICE_TABLES))
            raise InvalidInput(
                f"{path}: unknown key {key!r}", field=key, value=value, hint=f"known keys: {known}"
            )
        if not isinstance(value, str):
            raise InvalidInput(
                f"{path}: {key} must be a string, got {value!r}", field=key, value=value
            )
    return {key: value for key, value in data.items() if key not in SERVICE_TABLES}
