"""Other kernels than the running one: fetched from Debian, emulated, tested on."""
