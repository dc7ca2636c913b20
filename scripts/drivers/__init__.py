"""Real drivers under emulation: network cards of QEMU in a guest, tried in every mode of attaching."""
