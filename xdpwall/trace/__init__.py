"""Drops anywhere in the kernel, those by our own programs included, in one stream.

bcc_source.py   the C for BCC: macros for this kernel and for the filter, then drops.c
bcc_process.py  the process that runs it (bcc_main.py), and its frames
record.py       decodes a record of drops.c and the headers in it
filters.py      the filter of drops
reasons.py      names of drop reasons
symbols.py      names of kernel functions
own_drops.py    drops by our own programs, from a ring of their own
pairing.py      joins the two records of one drop
tracer.py       all of these together
summary.py      counts of drops
"""
