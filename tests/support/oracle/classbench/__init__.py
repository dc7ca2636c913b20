"""Rulesets as operators write them, of any size, and packets that meet them. Own code.

    shapes      the statistics of three kinds: access list, firewall, IP chain
    prefixes    nested address prefixes
    generate    a shape, a size, a seed -> rules
    traffic     rules -> packets that hit the first, the last, any of them, or none

After D. E. Taylor, J. S. Turner, "ClassBench: A Packet Classification Benchmark", IEEE/ACM
Transactions on Networking 15(3), 2007: a ruleset is drawn from a joint distribution of protocol,
classes of both ports, and lengths of both prefixes, with addresses from a tree that is skewed and
nested. Sizes of the classes are in shapes.py, with what they come from.
"""
