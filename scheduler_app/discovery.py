"""Finds the jobs that the installed apps declare."""

from importlib import import_module
from traceback import walk_tb
from types import FrameType

from django.apps import AppConfig, apps
from django.utils.module_loading import module_has_submodule

from scheduler_app.conf import SchedulerSettings, scheduler_settings
from scheduler_app.exceptions import SettingsError
from scheduler_app.registry import Problem
from scheduler_app.text import shown

HINT = (
    'If the module is not about jobs, name the apps that declare some in SCHEDULER["jobs_apps"], '
    'or another name for such modules in SCHEDULER["jobs_module"].'
)

failures: list[Problem] = []
"""The modules that could not be imported."""


def discover() -> None:
    """Import the module of each app that declares jobs: `jobs`, or what settings.SCHEDULER says. A
    module that cannot be imported is kept in `failures`, and ends no command of the project."""
    try:
        settings = scheduler_settings()
    except SettingsError:  # a check reports it, and nothing runs
        return
    failures.clear()
    _import("scheduler_app.jobs")
    for app in apps.get_app_configs():
        if _is_wanted(app, settings) and module_has_submodule(app.module, settings.jobs_module):
            _import(f"{app.name}.{settings.jobs_module}")


def _is_wanted(app: AppConfig, settings: SchedulerSettings) -> bool:
    return not settings.jobs_apps or app.name in settings.jobs_apps


def _import(module: str) -> None:
    try:
        import_module(module)
    except (Exception, SystemExit) as error:
        text = f"{module} cannot be imported, so its jobs are not known: {shown(error)}"
        lines = [line for frame, line in walk_tb(error.__traceback__) if _name(frame) == module]
        where = f"{module}, line {lines[-1]}" if lines else module
        failures.append(Problem(where, text, HINT))


def _name(frame: FrameType) -> object:
    return frame.f_globals.get("__name__")
