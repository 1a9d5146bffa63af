"""Carries one run out, in whatever process; knows no engine."""
