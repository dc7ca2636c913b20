"""Network interfaces through rtnetlink (pyroute2) and ethtool: links, XDP, tc."""
