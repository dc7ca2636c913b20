"""Explain: packets in words."""
