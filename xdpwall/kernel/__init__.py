"""The one door to the kernel: libbpf, netlink, bpffs. Nothing else imports ctypes or pyroute2."""
