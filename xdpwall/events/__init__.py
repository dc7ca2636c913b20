"""Single packets: out of the ring buffer, decoded, filtered, as a capture file."""
