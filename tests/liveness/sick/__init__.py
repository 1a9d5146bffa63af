"""A user's app whose jobs do what they should not."""
