"""The entries of sets, and the classes of their addresses. Pure.

entry        an address or a prefix in a set, for good or until its expiry
class        a combination of set memberships as a small number; classes.py has a drawn example
spare class  a class number that the generation has rows for and no entry has
expiry step  the time at which a class loses memberships, and the class without them
"""
