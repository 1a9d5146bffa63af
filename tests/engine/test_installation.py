"""A database remembers which installation it belongs to."""

import pytest
from pytest_django import Settings

from scheduler_app.conf import scheduler_settings
from scheduler_app.engine import installation
from scheduler_app.engine.scheduler import Scheduler
from scheduler_app.exceptions import InstallationError, SettingsError
from scheduler_app.models import Installation, Node
from scheduler_app.registry import Registry

pytestmark = pytest.mark.django_db


def named(settings: Settings, name: str) -> None:
    settings.SCHEDULER = {"installation": name}


def test_nothing_is_checked_while_none_is_named() -> None:
    installation.check()
    assert Installation.objects.remembered() == ""


def test_first_scheduler_that_names_one_is_remembered(settings: Settings) -> None:
    named(settings, "production")
    installation.check()
    installation.check()
    assert Installation.objects.remembered() == "production"


@pytest.mark.parametrize("other", ["staging", ""])
def test_copy_refuses_another_installation(settings: Settings, other: str) -> None:
    named(settings, "production")
    installation.check()
    named(settings, other)
    with pytest.raises(InstallationError, match="belongs to installation 'production'") as caught:
        installation.check()
    assert "--adopt-database" in str(caught.value)


@pytest.mark.parametrize("other", ["staging", ""])
def test_adopted_copy_belongs_to_the_new_one(settings: Settings, other: str) -> None:
    named(settings, "production")
    installation.check()
    named(settings, other)
    installation.check(adopt=True)
    assert Installation.objects.remembered() == other
    installation.check()


def test_refused_scheduler_leaves_nothing_behind(settings: Settings, registry: Registry) -> None:
    Installation.objects.remember("production")
    named(settings, "staging")
    with pytest.raises(InstallationError):
        Scheduler(registry).start()
    assert not Node.objects.exists()


@pytest.mark.parametrize("value", [5, None, "x" * 201])
def test_name_that_is_none_is_a_settings_error(settings: Settings, value: object) -> None:
    settings.SCHEDULER = {"installation": value}
    with pytest.raises(SettingsError, match="installation"):
        scheduler_settings()
