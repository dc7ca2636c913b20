"""A ruleset compiled into the tables that the classifier reads. Pure, in NumPy."""
