"""The door: all that a command, the service or a caller may ask, and the answers."""
