"""Drops anywhere in the kernel, and ours among them, in one stream.

bcc_source.py   the C for BCC: drops.c, and what is particular to this kernel and to what is asked
bcc_process.py  the process that runs it (bcc_main.py), and its frames
record.py       the bytes of a record and of a packet -> their fields
symbols.py      addresses -> functions; reasons.py: numbers -> names
own_drops.py    what our own programs drop, from their ring
pairing.py      one drop told by both is shown once
tracer.py       all of it together
"""
