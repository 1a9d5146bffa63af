"""An app for the processes under test: the jobs of the soak, which keep their own account."""
