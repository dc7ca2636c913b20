"""Files as people have them, read into rulesets and sets: YAML, JSON, address lists. Pure."""
