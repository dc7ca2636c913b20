"""Containers by name: what an engine's socket tells, handed over as a file."""
