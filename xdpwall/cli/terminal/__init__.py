"""Output for people: tables, lines of packets, errors, progress."""
