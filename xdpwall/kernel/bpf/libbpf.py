"""libbpf.so.1 as ctypes declarations: prototypes, option structs and the log. No policy here.

Functions that return a number give -errno on failure; those that return a pointer give NULL and set
errno. `check()` turns the first kind into our errors.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import (
    CDLL,
    CFUNCTYPE,
    POINTER,
    Structure,
    c_bool,
    c_char,
    c_char_p,
    c_int,
    c_size_t,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any

from xdpwall.errors import Unsupported
from xdpwall.kernel.libc import libc
from xdpwall.kernel.os_errors import os_error

_LOG_LINES = 4000
_DEBUG = 2  # enum libbpf_print_level
_LOG_BYTES = 65536  # kept of one message: a verifier log has megabytes, its end tells the reason


class MapCreateOpts(Structure):
    _fields_ = [
        ("sz", c_size_t),
        ("btf_fd", c_uint32),
        ("btf_key_type_id", c_uint32),
        ("btf_value_type_id", c_uint32),
        ("btf_vmlinux_value_type_id", c_uint32),
        ("inner_map_fd", c_uint32),
        ("map_flags", c_uint32),
        ("map_extra", c_uint64),
        ("numa_node", c_uint32),
        ("map_ifindex", c_uint32),
    ]


class MapInfo(Structure):
    _fields_ = [
        ("type", c_uint32),
        ("id", c_uint32),
        ("key_size", c_uint32),
        ("value_size", c_uint32),
        ("max_entries", c_uint32),
        ("map_flags", c_uint32),
        ("name", c_char * 16),
        ("rest", c_uint64 * 6),
    ]


class ProgramInfo(Structure):
    """struct bpf_prog_info up to verified_insns (Linux 5.16)."""

    _fields_ = [
        ("type", c_uint32),
        ("id", c_uint32),
        ("tag", c_uint8 * 8),
        ("jited_prog_len", c_uint32),
        ("xlated_prog_len", c_uint32),
        ("jited_prog_insns", c_uint64),
        ("xlated_prog_insns", c_uint64),
        ("load_time", c_uint64),
        ("created_by_uid", c_uint32),
        ("nr_map_ids", c_uint32),
        ("map_ids", c_uint64),
        ("name", c_char * 16),
        ("ifindex", c_uint32),
        ("gpl_compatible", c_uint32),
        ("netns_dev", c_uint64),
        ("netns_ino", c_uint64),
        ("nr_jited_ksyms", c_uint32),
        ("nr_jited_func_lens", c_uint32),
        ("jited_ksyms", c_uint64),
        ("jited_func_lens", c_uint64),
        ("btf_id", c_uint32),
        ("func_info_rec_size", c_uint32),
        ("func_info", c_uint64),
        ("nr_func_info", c_uint32),
        ("nr_line_info", c_uint32),
        ("line_info", c_uint64),
        ("jited_line_info", c_uint64),
        ("nr_jited_line_info", c_uint32),
        ("line_info_rec_size", c_uint32),
        ("jited_line_info_rec_size", c_uint32),
        ("nr_prog_tags", c_uint32),
        ("prog_tags", c_uint64),
        ("run_time_ns", c_uint64),
        ("run_cnt", c_uint64),
        ("recursion_misses", c_uint64),
        ("verified_insns", c_uint32),
        ("attach_btf_obj_id", c_uint32),
        ("attach_btf_id", c_uint32),
        ("padding", c_uint32),
    ]


class ObjectGetOpts(Structure):
    """struct bpf_obj_get_opts up to file_flags; the rest pads it."""

    _fields_ = [("sz", c_size_t), ("file_flags", c_uint32), ("rest", c_uint32)]


class ProgramLoadOpts(Structure):
    """struct bpf_prog_load_opts up to prog_flags."""

    _fields_ = [
        ("sz", c_size_t),
        ("attempts", c_int),
        ("expected_attach_type", c_int),
        ("prog_btf_fd", c_uint32),
        ("prog_flags", c_uint32),
    ]


class BatchOpts(Structure):
    _fields_ = [("sz", c_size_t), ("elem_flags", c_uint64), ("flags", c_uint64)]


class TestRunOpts(Structure):
    _fields_ = [
        ("sz", c_size_t),
        ("data_in", c_void_p),
        ("data_out", c_void_p),
        ("data_size_in", c_uint32),
        ("data_size_out", c_uint32),
        ("ctx_in", c_void_p),
        ("ctx_out", c_void_p),
        ("ctx_size_in", c_uint32),
        ("ctx_size_out", c_uint32),
        ("retval", c_uint32),
        ("repeat", c_int),
        ("duration", c_uint32),
        ("flags", c_uint32),
        ("cpu", c_uint32),
        ("batch_size", c_uint32),
    ]


class ObjectOpenOpts(Structure):
    _fields_ = [("sz", c_size_t), ("object_name", c_char_p)]


RING_SAMPLE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t)
"""Callback of ring_buffer__consume: (context, record, its bytes); a negative result stops it."""
_U32P = POINTER(c_uint32)
_BATCH_OPTS = POINTER(BatchOpts)
_PROTOTYPES: dict[str, tuple[Any, list[Any]]] = {
    "libbpf_num_possible_cpus": (c_int, []),
    "libbpf_version_string": (c_char_p, []),
    # objects
    "bpf_object__open_mem": (c_void_p, [c_char_p, c_size_t, POINTER(ObjectOpenOpts)]),
    "bpf_object__load": (c_int, [c_void_p]),
    "bpf_object__close": (None, [c_void_p]),
    "bpf_object__btf": (c_void_p, [c_void_p]),
    "bpf_object__next_map": (c_void_p, [c_void_p, c_void_p]),
    "bpf_object__next_program": (c_void_p, [c_void_p, c_void_p]),
    "bpf_object__find_map_by_name": (c_void_p, [c_void_p, c_char_p]),
    "btf__raw_data": (c_void_p, [c_void_p, _U32P]),
    "bpf_map__name": (c_char_p, [c_void_p]),
    "bpf_map__fd": (c_int, [c_void_p]),
    "bpf_map__type": (c_int, [c_void_p]),
    "bpf_map__key_size": (c_uint32, [c_void_p]),
    "bpf_map__is_internal": (c_bool, [c_void_p]),
    "bpf_map__reuse_fd": (c_int, [c_void_p, c_int]),
    "bpf_map__set_max_entries": (c_int, [c_void_p, c_uint32]),
    "bpf_map__set_value_size": (c_int, [c_void_p, c_uint32]),
    "bpf_map__initial_value": (c_void_p, [c_void_p, POINTER(c_size_t)]),
    "bpf_program__name": (c_char_p, [c_void_p]),
    "bpf_program__fd": (c_int, [c_void_p]),
    "bpf_program__flags": (c_uint32, [c_void_p]),
    "bpf_program__set_flags": (c_int, [c_void_p, c_uint32]),
    "bpf_program__set_autoload": (c_int, [c_void_p, c_bool]),
    # maps
    "bpf_map_create": (
        c_int,
        [c_int, c_char_p, c_uint32, c_uint32, c_uint32, POINTER(MapCreateOpts)],
    ),
    "bpf_map_lookup_elem": (c_int, [c_int, c_void_p, c_void_p]),
    "bpf_map_update_elem": (c_int, [c_int, c_void_p, c_void_p, c_uint64]),
    "bpf_map_delete_elem": (c_int, [c_int, c_void_p]),
    "bpf_map_get_next_key": (c_int, [c_int, c_void_p, c_void_p]),
    "bpf_map_update_batch": (c_int, [c_int, c_void_p, c_void_p, _U32P, _BATCH_OPTS]),
    "bpf_map_delete_batch": (c_int, [c_int, c_void_p, _U32P, _BATCH_OPTS]),
    "bpf_map_lookup_batch": (
        c_int,
        [c_int, c_void_p, c_void_p, c_void_p, c_void_p, _U32P, _BATCH_OPTS],
    ),
    # programs without an object
    "bpf_prog_load": (
        c_int,
        [c_int, c_char_p, c_char_p, c_char_p, c_size_t, POINTER(ProgramLoadOpts)],
    ),
    # anything with a descriptor
    "bpf_obj_pin": (c_int, [c_int, c_char_p]),
    "bpf_obj_get": (c_int, [c_char_p]),
    "bpf_obj_get_opts": (c_int, [c_char_p, POINTER(ObjectGetOpts)]),
    "bpf_obj_get_info_by_fd": (c_int, [c_int, c_void_p, _U32P]),
    "bpf_map_get_fd_by_id": (c_int, [c_uint32]),
    "bpf_prog_get_fd_by_id": (c_int, [c_uint32]),
    "bpf_prog_bind_map": (c_int, [c_int, c_int, c_void_p]),
    "bpf_prog_test_run_opts": (c_int, [c_int, POINTER(TestRunOpts)]),
    "bpf_prog_query": (c_int, [c_int, c_int, c_uint32, _U32P, _U32P, _U32P]),
    # ring buffers
    "ring_buffer__new": (c_void_p, [c_int, RING_SAMPLE, c_void_p, c_void_p]),
    "ring_buffer__poll": (c_int, [c_void_p, c_int]),
    "ring_buffer__consume": (c_int, [c_void_p]),
    "ring_buffer__free": (None, [c_void_p]),
}
_PRINTER = CFUNCTYPE(c_int, c_int, c_char_p, c_void_p)
_logs = threading.local()


@functools.cache
def lib() -> Any:
    """The library, loaded at first use. Unsupported when it is not installed."""
    try:
        library = CDLL("libbpf.so.1", use_errno=True)
    except OSError as error:
        raise Unsupported(
            "libbpf.so.1 is missing",
            hint="apt-get install libbpf1",
            code="no-libbpf",
            detail=str(error),
        ) from error
    for name, (result, arguments) in _PROTOTYPES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    library.libbpf_set_print.restype = c_void_p
    library.libbpf_set_print.argtypes = [_PRINTER]
    library.libbpf_set_print(_printer)
    return library


def check(result: int, message: str, *, hint: str | None = None) -> int:
    """Return `result`, or raise the error for errno -result when it is negative."""
    if result < 0:
        raise os_error(-result, message, hint=hint)
    return result


@functools.cache
def cpus() -> int:
    """Possible CPUs: per-CPU values have one element for each, online or not."""
    return check(lib().libbpf_num_possible_cpus(), "the number of CPUs cannot be read")


@contextmanager
def captured_log() -> Iterator[deque[str]]:
    """Collect the last lines that libbpf logs in this thread, of warnings and infos."""
    before: deque[str] | None = getattr(_logs, "lines", None)
    _logs.lines = lines = deque[str](maxlen=_LOG_LINES)
    try:
        yield lines
    finally:
        _logs.lines = before


def _print(level: int, template: bytes, arguments: int) -> int:
    """libbpf's print callback. On x86-64 and arm64 a va_list is passed as a pointer."""
    lines: deque[str] | None = getattr(_logs, "lines", None)
    if level >= _DEBUG or lines is None:
        return 0
    text = c_void_p()
    length = libc().vasprintf(ctypes.byref(text), template, arguments)
    if length > 0 and text.value:
        skip = max(0, length - _LOG_BYTES)
        tail = ctypes.string_at(text.value + skip, length - skip)
        lines.extend(tail.decode(errors="replace").rstrip().splitlines())
        libc().free(text)
    return 0


_printer = _PRINTER(_print)  # held here: libbpf keeps the pointer for good
