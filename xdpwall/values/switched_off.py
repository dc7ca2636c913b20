"""What every answer says while the firewall is switched off."""

SWITCHED_OFF = "the firewall is switched off: everything passes (xdpwall on)"
