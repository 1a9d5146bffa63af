"""The only place that changes a run's state, its counters, the timetable and the recorded
schedules.

The order of locks, everywhere: timetable rows by id, then runs by descending id, then jobs by name.
An engine's transaction waits for no row: it leaves what others have locked (SKIP LOCKED) for its
next look, and no foreign key makes it lock a row of a node or of another run. What it cannot leave
out (a lock of a whole table, a row that another transaction has inserted with the same key) it
waits for until the lock timeout; see models.locks. Jobs' counters are not written when runs end:
what is counted is appended to JobCount, and folded into the jobs' rows by counters.fold(), which
locks jobs and nothing else."""
