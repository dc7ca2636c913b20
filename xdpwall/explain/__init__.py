"""Explain what becomes of a packet, and why: by running it through the classifier."""
