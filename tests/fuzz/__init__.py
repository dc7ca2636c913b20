"""Fuzzing, by targets of the Makefile."""
