"""Faults done for real to real processes: killed, frozen, cut off, out of disk, out of time.

Each test has a short form, which `make test` runs, and one in full length for `make chaos`."""
