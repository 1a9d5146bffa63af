"""Whether the ledger, and what is kept beside it, agree with the schedules."""
