"""The client of the service: HTTP over its unix socket, and the choice between it and acting in this process."""
