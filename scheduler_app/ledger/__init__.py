"""The only place that changes a run's state, its counters, the timetable and the recorded
schedules.

The order of locks, everywhere: timetable rows by id, then runs by descending id, then jobs by
name."""
