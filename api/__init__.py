"""The REST service: imported as xdpwall.api, never as api."""
