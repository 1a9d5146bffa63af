"""A Django project around the scheduler."""
