"""The reference classifier: what the data plane must answer, in plain Python, slow and readable.

Written from the description of a rule's meaning, not from the kernel programs, so that the two
can be held against each other.

    packet    what is known about a frame: each field's value, or why it can't be read
    decode    bytes to Packet
    memory    later fragments learn what their first one said
    judge     rules and policy: verdict, rules counted, and why in words
"""
