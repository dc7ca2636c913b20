"""Analysis of a ruleset without packets: rules that can never decide, or change nothing. Pure."""
