"""`make bench`: cost of a packet, a change and a command, beside other filters and bare baselines."""
