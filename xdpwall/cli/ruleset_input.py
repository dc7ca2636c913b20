"""A ruleset file as a command names it: a path, or - for standard input, with the sets' own files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from xdpwall.errors import Failed, InvalidInput, NeedsPrivileges, NotFound

if TYPE_CHECKING:
    from xdpwall.ruleset.ruleset import Ruleset
    from xdpwall.sets.content import SetContent


def read_ruleset(file: str) -> Ruleset:
    """Read it. InvalidInput for what is in it, NotFound, NeedsPrivileges, Failed for the file itself."""
    from xdpwall.formats.ruleset_file import load_ruleset

    name = "standard input" if file == "-" else file
    return load_ruleset(_read(file), name=name, files=_set_files(file))


def _read(file: str) -> str:
    from xdpwall.formats.ruleset_file import MAX_BYTES

    try:
        if file == "-":
            raw = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(file).open("rb") as stream:
                raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise NotFound(f"{file}: no such file", field="file", value=file) from error
    except PermissionError as error:
        raise NeedsPrivileges(f"{file}: permission denied", field="file", value=file) from error
    except IsADirectoryError as error:
        raise InvalidInput(f"{file}: is a folder, not a file", field="file", value=file) from error
    except (OSError, ValueError) as error:
        raise Failed(f"{file}: cannot be read: {error}", field="file", value=file) from error
    if len(raw) > MAX_BYTES:
        raise InvalidInput(
            f"{file}: larger than {MAX_BYTES >> 20} MiB", field="file", value=file, code="too-large"
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{file}: not UTF-8 at byte {error.start}", field="file", value=file
        ) from error


def _set_files(file: str) -> Callable[[str], SetContent]:
    """Reads what a set names as its file, relative to the ruleset file's folder."""
    folder = Path() if file == "-" else Path(file).parent

    def read(name: str) -> SetContent:
        from xdpwall.formats.address_list import load_address_list
        from xdpwall.sets.content import SetContent
        from xdpwall.values.times import expiry_after

        found = load_address_list(folder / name)
        timeouts = {entry: expiry_after(seconds) for entry, seconds in found.timeouts.items()}
        return SetContent(found.entries, timeouts)

    return read
