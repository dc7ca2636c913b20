"""Root acts as the service's own user on files that are that user's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from xdpwall.settings import Settings
from xdpwall.trusted import acting_for

ACCOUNT = "xdpwall"
"""The user as whom the packages run the service."""


@contextmanager
def own_rights() -> Iterator[None]:
    """For a moment open files as who this process is: those that the caller names."""
    if acting_for() is None:
        yield
        return
    from xdpwall.kernel.identity import own_rights as rights

    with rights():
        yield


def service_uid() -> int | None:
    """The uid of the service's own user, None where there is no such account."""
    import pwd

    try:
        return pwd.getpwnam(ACCOUNT).pw_uid
    except KeyError:
        return None


def act_as_owner(settings: Settings) -> None:
    """Where the state folder is the service's user's, open files as that user from now on.

    For root alone, in a process that is about to open the instance itself. Then nothing that the user put
    there leads root elsewhere, and the service can open what root makes. NeedsPrivileges.
    """
    if os.geteuid() != 0:
        return
    try:
        folder = os.stat(settings.state_dir)
    except OSError:  # whoever opens it says what is wrong
        return
    if folder.st_uid != 0 and folder.st_uid == service_uid():
        from xdpwall.kernel.identity import act_as

        act_as(folder.st_uid, folder.st_gid)
