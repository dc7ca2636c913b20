"""One instance in the kernel: its pinned maps, its programs, the tables of its sets."""
