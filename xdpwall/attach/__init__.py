"""Programs on interfaces: where they may go, whose they are, which packets they see, what to warn of."""
