"""Answers as models: one JSON shape for command line, REST and page. Pure."""
