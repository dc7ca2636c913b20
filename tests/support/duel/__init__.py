"""The data plane against the reference: random cases, both judge them, what differs is shrunk.

ruledraw, framedraw     random rulesets, and frames that aim at their fields
case                    one ruleset and the frames run through it, as JSON and as code
duel                    runs a case through both and says where they first differ
shrink                  the smallest case that still differs
"""
