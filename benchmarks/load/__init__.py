"""A user's app, whose jobs do nothing."""
