"""Random frames over veths, for what BPF_PROG_TEST_RUN cannot show.

taps    small tc programs around ours: what came to it, what went on, and a tag put beside a frame
ring    a packet socket whose frames lie in pages, only their first 14 bytes in the linear part
bench   a data plane whose programs are attached to cables between two namespaces
draw    a random case for one place
match   a case sent over a cable and compared with the reference
"""
