"""A shop's installation for looking around: 40 jobs, a month of history. See `make demo`."""
