"""The facade: every question and change that a command, the service or a caller may ask for."""
