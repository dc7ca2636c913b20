"""Points at which a test may kill this process, to test recovery.

XDPWALL_TEST_CRASH_AT names one of the points below; reaching it is `kill -9` on ourselves. Without
the variable a point costs one dictionary lookup.
"""

from __future__ import annotations

import os
import signal

POINTS = (
    "after-record",
    "after-write",
    "after-switch",
    "after-commit",
    "attach-recorded",
    "attach-loaded",
    "attach-attached",
    "detach-recorded",
    "detach-detached",
    "mode-judged",
    "mode-off",
    "mode-changed",
    "aside-judged",
    "aside-off",
    "aside-back",
    "restore-kept",
    "restore-unpinned",
    "restore-cleared",
    "restore-created",
    "restore-loaded",
    "restore-sets",
    "adopt-named",
    "adopt-recorded",
    "adopt-filled",
    "adopt-exchanged",
    "adopt-swapped",
    "rewrite-pinned",
    "rewrite-swapped",
    "trial-switched",
    "trial-attached",
    "confirm-kept",
    "confirm-detached",
    "revert-switched",
    "revert-detached",
    "renumber-recorded",
    "renumber-switched",
    "repair-saved",
    "repair-built",
    "repair-moved",
    "repair-placed",
    "copy-set-written",
    "copy-set-renamed",
    "copy-written",
    "copy-renamed",
    "switch-set",
    "set-recorded",
    "set-written",
    "set-expired",
    "set-staged",
    "set-loaded",
    "set-swept",
)
"""In the order in which a change, an attachment, a detachment, a restore or `--adopt` passes them."""


def crash_point(name: str) -> None:
    """Die here when the environment asks for it."""
    if os.environ.get("XDPWALL_TEST_CRASH_AT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
