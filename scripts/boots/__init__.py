"""A whole machine, emulated, from power-on to login: which pings are answered meanwhile."""
