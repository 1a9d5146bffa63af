"""The command line, for `manage.py scheduler` and for `schedulerctl`, which needs no Django."""
