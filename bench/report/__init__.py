"""The figures as tables, a picture and Markdown."""
