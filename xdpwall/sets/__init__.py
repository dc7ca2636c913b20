"""What a set holds, and the classes of its addresses. Pure."""
