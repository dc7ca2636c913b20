"""Rules in order with policy, attachments and sets by name, and the edits from one ruleset to the next. Pure."""
