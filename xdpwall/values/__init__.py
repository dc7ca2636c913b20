"""What a field may hold: addresses, ports, protocols, times; one spelling each, and the error for a wrong one. Pure."""
