"""The soak: real schedulers under random faults, judged by an oracle that shares no code with them.

`python -m tests.soak --minutes 10 --seed 7 --database postgres`. Everything here depends on the
product's commands, its gRPC service and its table names only."""
