"""Figures as tables, pictures and Markdown."""
