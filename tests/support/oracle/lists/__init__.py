"""Address lists: a slow reference reader, drawn bytes, and the comparison of the two readers."""
