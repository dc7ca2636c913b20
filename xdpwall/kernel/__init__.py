"""The one door to the kernel: bpf(2) through libbpf, netlink through pyroute2, the disk."""
