"""A user's app, for the tests that start real processes."""
