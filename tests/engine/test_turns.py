"""The threads of one process take turns at writing to SQLite."""

import threading

import pytest
from django.db import connections, transaction

from scheduler_app.models import Job, database


@pytest.mark.django_db(transaction=True)
def test_transaction_of_ones_own_waits_for_no_turn() -> None:
    """A job that holds the database's lock must not wait for a thread that waits for that lock."""
    begins = threading.Event()

    def count() -> None:
        begins.set()
        with database.atomic():
            Job.objects.update(run_count=1)
        connections.close_all()

    thread = threading.Thread(target=count)
    Job.objects.create(name="a", cron="* * * * *", timezone="UTC")
    with transaction.atomic():
        thread.start()
        begins.wait(30)
        thread.join(0.2)  # it has its turn, and waits for the database
        with database.atomic():
            Job.objects.update(error_count=1)
    thread.join()
    job = Job.objects.get()
    assert (job.run_count, job.error_count) == (1, 1)
