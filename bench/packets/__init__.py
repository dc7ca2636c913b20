"""Cost of a packet, by test-run and over a veth."""
