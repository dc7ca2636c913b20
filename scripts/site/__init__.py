"""The documentation as a site, by mkdocs-material."""
