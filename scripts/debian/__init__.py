"""Bare Debian roots: made by debootstrap, entered by chroot, booted with systemd in namespaces."""
