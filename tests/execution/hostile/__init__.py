"""Jobs that break whatever a run's boundary may rely on; each is told what should come of it."""
