"""A reference tracker: slow, written from the semantics alone, without a look at bpf/flow*.h.

packets.py   packets of flows as values, and their frames
tracker.py   states, flows and verdicts
"""
