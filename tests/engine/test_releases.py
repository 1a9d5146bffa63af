"""Which release decides, while deploys and rollbacks go on."""

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from scheduler_app import __version__
from scheduler_app.engine import releases
from scheduler_app.engine.reconcile import Reconciler
from scheduler_app.models import Job, Node, Release
from scheduler_app.registry import Registry, job
from tests.engine.conftest import T0, nothing
from tests.harness.heartbeats import silent_for

pytestmark = pytest.mark.django_db
OLD, NEW = "0 * * * *", "30 * * * *"


def code(cron: str, **others: str) -> Registry:
    registry = Registry()
    for name, each in ({"a": cron} | others).items():
        job(name=name, cron=each, timezone="UTC", registry=registry)(nothing)
    return registry


class Process:
    """One scheduler of this release."""

    def __init__(self, registry: Registry) -> None:
        self.node = releases.register("here:1", registry)
        self._reconciler = Reconciler(registry)
        self.beat()

    def beat(self) -> None:
        self._reconciler.reconcile(self.node, Node.objects.liveness(), T0)

    def stop(self) -> None:
        Node.objects.filter(pk=self.node.pk).update(stopped_at=Now())

    def die(self) -> None:
        silent_for(self.node, 86_400)


def cron(name: str = "a") -> str:
    return Job.objects.get(name=name).cron


def test_new_release_wins_beside_the_old_one() -> None:
    old = Process(code(OLD))
    Process(code(NEW))
    old.beat()
    assert cron() == NEW


def test_restart_of_an_old_release_does_not_win() -> None:
    old = Process(code(OLD))
    new = Process(code(NEW))
    old.stop()
    again = Process(code(OLD))
    assert cron() == NEW
    again.stop()
    new.beat()
    assert cron() == NEW


def test_old_release_decides_when_the_new_one_died() -> None:
    old = Process(code(OLD))
    new = Process(code(NEW))
    new.die()
    old.beat()
    assert cron() == OLD


def test_new_release_decides_again_when_it_comes_back() -> None:
    old = Process(code(OLD))
    Process(code(NEW)).die()
    old.beat()
    Process(code(NEW))
    old.beat()
    assert cron() == NEW


def test_rollback_after_a_full_stop_wins() -> None:
    Process(code(OLD)).stop()
    Process(code(NEW)).stop()
    back = Process(code(OLD))
    assert cron() == OLD
    Process(code(OLD)).beat()
    back.beat()
    assert cron() == OLD


def test_rolling_rollback_wins_when_the_last_new_one_stops() -> None:
    Process(code(OLD)).stop()
    new = Process(code(NEW))
    back = Process(code(OLD))
    assert cron() == NEW
    new.stop()
    back.beat()
    assert cron() == OLD


def test_node_applies_what_only_another_release_declares() -> None:
    old = Process(code(OLD))
    Process(code(NEW, b="15 * * * *"))
    Job.objects.filter(name="b").delete()
    old.beat()
    assert cron("b") == "15 * * * *"


def test_job_of_the_old_release_stays_while_that_lives() -> None:
    old = Process(code(OLD, b=OLD))
    new = Process(code(NEW))
    assert not Job.objects.get(name="b").is_orphaned
    old.stop()
    new.beat()
    assert Job.objects.get(name="b").is_orphaned


def test_dropped_job_that_comes_back_fires_again() -> None:
    Process(code(OLD, b=OLD)).stop()
    new = Process(code(NEW))
    assert Job.objects.get(name="b").is_orphaned
    Process(code(NEW, b=NEW))
    new.beat()
    assert not Job.objects.get(name="b").is_orphaned


def test_nodes_of_two_releases_do_not_take_turns() -> None:
    old, new = Process(code(OLD)), Process(code(NEW))
    for process in (old, new, old, new):
        process.beat()
    assert cron() == NEW
    assert Release.objects.count() == 2


def test_release_that_was_deleted_is_kept_again() -> None:
    process = Process(code(OLD))
    Release.objects.all().delete()
    process.beat()
    assert Release.objects.get().digest == process.node.release


def test_node_says_its_version_and_how_many_runs_it_carries_out(settings: Settings) -> None:
    settings.SCHEDULER = {"max_concurrent_runs": 7}
    node = Process(code(OLD)).node
    node.refresh_from_db()
    assert (node.version, node.slots) == (__version__, 7)
