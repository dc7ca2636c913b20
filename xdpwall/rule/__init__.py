"""One rule: its fields, its sentence, its match in numbers. Pure."""
