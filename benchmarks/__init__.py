"""Measures the scheduler from outside, side by side with what a user would pick instead."""
