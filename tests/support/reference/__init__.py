"""The reference classifier: what the data plane must answer, in plain Python, slow and readable.

Written from the description of a rule's meaning, not from the kernel programs, so that the two
can be held against each other.

    decode.decode(frame) -> Packet          every field a rule may name, or why it can't be read
    memory.FragmentMemory().meet(packet)    later fragments learn what their first one said
    judge.Judge(...).judge(frame)           verdict, rules counted, and why in words
"""
