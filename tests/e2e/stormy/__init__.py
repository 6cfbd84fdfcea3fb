"""Twenty small models of one shape, for tests of how many runs there are at a time. Their day cannot be computed."""
