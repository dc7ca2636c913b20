"""What is read back: one JSON shape for command line, REST and page. Pure."""
