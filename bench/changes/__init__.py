"""Cost of changes, commands, loading and the page."""
