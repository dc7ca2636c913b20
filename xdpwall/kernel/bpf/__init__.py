"""BPF through libbpf and ctypes: objects, programs, maps, BTF, bpffs, feature probes."""
