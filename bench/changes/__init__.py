"""What a change costs."""
