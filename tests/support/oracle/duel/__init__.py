"""The data plane against the reference: random cases, both judge them, what differs is shrunk.

case                             one ruleset and the frames run through it; JSON, code
ruledraw framedraw recipe mangle random rulesets, and frames that aim at them and are broken
draw                             a whole case from one number
duel                             runs a case through both and says where they first differ
shrink                           the smallest case that still differs
kept                             cases that failed once, as files
"""
