"""xdpwall: a packet-filter firewall manager for Linux whose data plane is XDP and tc."""

__version__ = "0.1.0"
