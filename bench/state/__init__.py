"""Time state and rates: xdpwall beside nftables and iptables."""
