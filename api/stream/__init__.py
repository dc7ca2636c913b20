"""Server-sent events: one hub, a ring of what was sent, one stream for each client."""
