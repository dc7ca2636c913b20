"""Whether a process is a container's: its control group is named after the container's id."""

from __future__ import annotations

from pathlib import Path


def is_process_of(pid: int, container_id: str) -> bool:
    """Whether /proc/PID/cgroup names the container, as Docker's and Podman's both do ("/docker/ID",
    "docker-ID.scope", "libpod-ID.scope"). False for a number of another pid namespace, under which
    another process runs here, or none."""
    try:
        groups = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return container_id in groups
