"""Load compiled BPF objects into the kernel: set constants and sizes, share maps, load."""

from __future__ import annotations

import ctypes
import fcntl
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from xdpwall.closing import Closing
from xdpwall.errors import Failed

from . import load_errors
from .btf import Btf
from .libbpf import ObjectOpenOpts, captured_log, check, lib
from .maps import Map
from .programs import Program


@dataclass(frozen=True, slots=True)
class MapSize:
    """Sizes to set before a map is created; None keeps the object's."""

    max_entries: int | None = None
    value_size: int | None = None


class LoadedObject(Closing):
    """Maps and programs of one load, by their names in the object. close() or `with` closes them
    all; pop from the dictionaries those that should live longer."""

    def __init__(self, maps: dict[str, Map], programs: dict[str, Program]) -> None:
        self.maps = maps
        self.programs = programs
        self.constants: Map | None = None
        """The map of its `const volatile` variables, where it has some."""

    def close(self) -> None:
        for handle in (*self.maps.values(), *self.programs.values()):
            handle.close()
        if self.constants is not None:
            self.constants.close()


PROGRAM_OBJECTS = (
    *(
        f"{hook}{kind}"
        for kind in ("", "_rated", "_flows", "_flows_rated")
        for hook in ("xdp", "tc")
    ),
    *("xdp_cookies", "xdp_cookies_flows_rated"),
    *(f"{hook}{rated}_shared" for rated in ("", "_rated") for hook in ("xdp", "tc")),
)
"""The objects whose programs are attached."""


def object_path(name: str) -> Path:
    """The compiled object `xdp` or `tc` inside the package."""
    return Path(str(files("xdpwall") / "bpf" / f"{name}.bpf.o"))


def load_object(
    source: str | os.PathLike[str] | bytes,
    *,
    rodata: Mapping[str, int | bytes] | None = None,
    sizes: Mapping[str, MapSize] | None = None,
    reuse: Mapping[str, Map] | None = None,
    programs: Collection[str] | None = None,
    flags: Mapping[str, int] | None = None,
) -> LoadedObject:
    """Load the object file (or its bytes) `source`.

    `rodata`: values of `const volatile` variables (others stay as compiled). `sizes`: by map.
    `reuse`: existing maps to use instead of the object's; they keep their sizes and stay the
    caller's (the result has its own descriptors). `programs`: the only ones to load, None for all. `flags`: BPF_F_* by program, e.g. BPF_F_XDP_HAS_FRAGS.

    Failed with code "object-missing" (not compiled) or "object-mismatch" (a name or a size that
    the object does not have); Unsupported with code "verifier" and the verifier's last lines in
    `detail`; NeedsPrivileges; Full when the kernel has no memory for a map.
    """
    data = source if isinstance(source, bytes) else _read(Path(source))
    with captured_log() as log:
        handle = _open(data, log)
        try:
            _set_rodata(handle, rodata or {})
            _set_sizes(handle, sizes or {})
            _set_reuse(handle, reuse or {})
            _set_programs(handle, programs, flags or {})
            result = lib().bpf_object__load(handle)
            if result < 0:
                raise load_errors.load_error(-result, list(log))
            return _loaded(handle)
        finally:
            lib().bpf_object__close(handle)


def read_btf(source: str | os.PathLike[str] | bytes) -> Btf:
    """The object's types, without loading anything into the kernel."""
    data = source if isinstance(source, bytes) else _read(Path(source))
    with captured_log() as log:
        handle = _open(data, log)
        try:
            return _btf(handle)
        finally:
            lib().bpf_object__close(handle)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise Failed(
            "BPF object missing: run `make bpf`", code="object-missing", detail=str(path)
        ) from error
    except OSError as error:
        raise Failed(f"{path} cannot be read", detail=str(error)) from error


def _open(data: bytes, log: Collection[str]) -> int:
    options = ObjectOpenOpts(sz=ctypes.sizeof(ObjectOpenOpts), object_name=b"xdpwall")
    handle = lib().bpf_object__open_mem(data, len(data), ctypes.byref(options))
    if not handle:
        raise Failed(
            "not a BPF object: run `make bpf`",
            code="object-broken",
            detail="\n".join([*log, f"errno {ctypes.get_errno()}"]),
        )
    return int(handle)


def _btf(handle: int) -> Btf:
    size = ctypes.c_uint32()
    types = lib().bpf_object__btf(handle)
    raw = lib().btf__raw_data(types, ctypes.byref(size)) if types else None
    return Btf(ctypes.string_at(raw, size.value) if raw else b"")


def _mismatch(message: str, known: Collection[str] = ()) -> Failed:
    detail = f"it has: {', '.join(sorted(known))}" if known else None
    hint = "the object and the Python code are of different versions: run `make bpf`"
    return Failed(message, code="object-mismatch", hint=hint, detail=detail)


def _set_rodata(handle: int, values: Mapping[str, int | bytes]) -> None:
    if not values:
        return
    places = _btf(handle).section(".rodata")
    found = lib().bpf_object__find_map_by_name(handle, b".rodata")
    size = ctypes.c_size_t()
    address = lib().bpf_map__initial_value(found, ctypes.byref(size)) if found else None
    for name, value in values.items():
        place = places.get(name)
        if place is None or not address or place.offset + place.size > size.value:
            raise _mismatch(f"the BPF object has no constant {name}", places)
        ctypes.memmove(address + place.offset, _constant(name, value, place.size), place.size)


def _constant(name: str, value: int | bytes, size: int) -> bytes:
    if isinstance(value, int):
        try:
            return value.to_bytes(size, "little", signed=value < 0)
        except OverflowError as error:
            raise _mismatch(f"constant {name}: {value} does not fit {size} bytes") from error
    if len(value) != size:
        raise _mismatch(f"constant {name} has {size} bytes, got {len(value)}")
    return value


def _find_map(handle: int, name: str) -> int:
    found = lib().bpf_object__find_map_by_name(handle, os.fsencode(name))
    if not found:
        raise _mismatch(f"the BPF object has no map {name}", [n for n, _ in _maps(handle)])
    return int(found)


def _set_sizes(handle: int, sizes: Mapping[str, MapSize]) -> None:
    for name, size in sizes.items():
        found = _find_map(handle, name)
        if size.max_entries is not None:
            result = lib().bpf_map__set_max_entries(found, size.max_entries)
            check(result, f"map {name}: max_entries cannot be {size.max_entries}")
        if size.value_size is not None:
            result = lib().bpf_map__set_value_size(found, size.value_size)
            check(result, f"map {name}: value_size cannot be {size.value_size}")


def _set_reuse(handle: int, reuse: Mapping[str, Map]) -> None:
    for name, table in reuse.items():
        found = _find_map(handle, name)
        # Value and entry counts may differ (set when it was made); these two never do.
        wanted = lib().bpf_map__type(found), lib().bpf_map__key_size(found)
        if wanted != (table.info.type, table.info.key_size):
            raise _mismatch(
                f"map {name} is of type {table.info.type} with keys of {table.info.key_size} bytes;"
                f" the object wants type {wanted[0]} with {wanted[1]}"
            )
        check(lib().bpf_map__reuse_fd(found, table.fileno()), f"map {name} cannot be reused")


def _set_programs(handle: int, wanted: Collection[str] | None, flags: Mapping[str, int]) -> None:
    known = dict(_programs(handle))
    for name in {*(wanted or ()), *flags}:
        if name not in known:
            raise _mismatch(f"the BPF object has no program {name}", known)
    for name, program in known.items():
        if wanted is not None:
            result = lib().bpf_program__set_autoload(program, name in wanted)
            check(result, f"program {name} cannot be chosen")
        if name in flags:
            both = lib().bpf_program__flags(program) | flags[name]
            check(lib().bpf_program__set_flags(program, both), f"program {name}: flags {both:#x}")


def _each(handle: int, following: Any) -> Iterator[int]:
    item = following(handle, None)
    while item:
        yield item
        item = following(handle, item)


def _maps(handle: int) -> Iterator[tuple[str, int]]:
    """The declared maps, without those that libbpf makes for .rodata and .bss."""
    for item in _each(handle, lib().bpf_object__next_map):
        if not lib().bpf_map__is_internal(item):
            yield lib().bpf_map__name(item).decode(), item


def _programs(handle: int) -> Iterator[tuple[str, int]]:
    for item in _each(handle, lib().bpf_object__next_program):
        yield lib().bpf_program__name(item).decode(), item


def _loaded(handle: int) -> LoadedObject:
    """The maps and programs with duplicated descriptors, so that libbpf's object can be closed."""
    loaded = LoadedObject({}, {})
    try:
        for name, item in _maps(handle):
            loaded.maps[name] = Map(_duplicate(lib().bpf_map__fd(item)))
        constants = lib().bpf_object__find_map_by_name(handle, b".rodata")
        if constants:
            loaded.constants = Map(_duplicate(lib().bpf_map__fd(constants)))
        for name, item in _programs(handle):
            fd = lib().bpf_program__fd(item)
            if fd >= 0:
                loaded.programs[name] = Program(_duplicate(fd))
    except BaseException:
        loaded.close()
        raise
    return loaded


def _duplicate(fd: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
