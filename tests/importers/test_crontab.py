"""Lines of a crontab."""

import io
import sys
from pathlib import Path

import pytest

from scheduler_app.command import Command
from tests.importers.conftest import Import, Imported

CRONTAB = """\
# m h dom mon dow command
MAILTO=ops@example.org
SHELL=/bin/bash

30 2 * * *  cd /srv/shop && venv/bin/python manage.py clearsessions >> /var/log/clear.log 2>&1
*/5 * * * * DJANGO_SETTINGS_MODULE=shop.settings /srv/bin/python3 /srv/manage.py check --tag models
@daily      /usr/local/bin/backup.sh --all && echo done
0 9 13 * FRI /bin/mail-superstitious
15 * * * *  /usr/bin/du -s /srv | mail -s "du" ops
CRON_TZ=Europe/Berlin
0 6 * * 1-5 python manage.py check
"""


@pytest.fixture
def crontab(imported: Import, tmp_path: Path) -> Imported:
    path = tmp_path / "crontab"
    path.write_text(CRONTAB)
    return imported("crontab", str(path))


def line(imported: Imported, name: str) -> str:
    function = imported.jobs[name].function
    assert isinstance(function, Command)
    return function.line


def test_every_line_is_a_job(crontab: Imported) -> None:
    assert crontab.problems == ""
    assert list(crontab.jobs) == [
        "clearsessions",
        "check",
        "backup.sh",
        "mail-superstitious",
        "du",
        "check-2",
    ]


def test_management_command_is_one(crontab: Imported) -> None:
    assert line(crontab, "clearsessions") == "manage.py clearsessions"
    assert line(crontab, "check") == "manage.py check --tag models"
    assert "What it prints is kept with the run, not in a file." in crontab.comment("clearsessions")
    assert "not DJANGO_SETTINGS_MODULE=shop.settings" in crontab.comment("check")


def test_other_line_is_for_the_shell(crontab: Imported) -> None:
    assert (
        "subprocess.run('/usr/local/bin/backup.sh --all && echo done', shell=True, check=True)"
        in crontab.code
    )
    assert (
        """subprocess.run('/usr/bin/du -s /srv | mail -s "du" ops', shell=True, check=True)"""
        in crontab.code
    )


def test_schedules_are_as_they_are_written(crontab: Imported) -> None:
    assert crontab.text("clearsessions") == "30 2 * * *"
    assert crontab.text("backup.sh") == "@daily"
    assert crontab.text("mail-superstitious") == "0 9 13 * FRI"
    assert crontab.jobs["check-2"].schedule.timezone == "Europe/Berlin"
    assert "fires at" not in crontab.code  # Debian's cron and this scheduler agree


def test_line_of_the_system_names_a_user(imported: Import, tmp_path: Path) -> None:
    path = tmp_path / "crontab"
    path.write_text("17 * * * * www-data cd / && run-parts /etc/cron.hourly\n")
    found = imported("crontab", str(path), "--with-user")
    assert found.comment("run-parts").endswith(
        "There it runs as www-data, here as the scheduler's user."
    )
    assert "cd / && run-parts" in found.code


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("@reboot /bin/a", "@reboot is no time: nothing fires because a scheduler starts"),
        ("0 3 * * *", "it has no command"),
        ("0 3 * *", "it has no command"),
        ("0 25 * * * /bin/a", "Bad hour field '25'"),
        ("0 3 * * * /bin/mail root%Hello", "its command ends at the %"),
        ("0 3 * * * manage.py no_such", "manage.py no_such: there is no such management command"),
    ],
)
def test_line_that_cannot_be_translated_is_told(
    imported: Import, monkeypatch: pytest.MonkeyPatch, text: str, why: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{text}\n0 4 * * * /bin/b\n"))
    found = imported("crontab", "-")
    assert found.problems.startswith("1 could not be translated:\n")
    assert why in found.problems
    assert "NOT TRANSLATED: " in found.code
    assert list(found.jobs) == ["b"]


def test_escaped_percent_is_one(imported: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(r"0 3 * * * dump-$(date +\%F)"))
    assert "'dump-$(date +%F)'" in imported("crontab", "-").code


def test_code_is_written_into_a_new_file_only(
    imported: Import, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "jobs.py"
    monkeypatch.setattr(sys, "stdin", io.StringIO("0 3 * * * /bin/a"))
    assert imported("crontab", "-", "--write", str(path)).code == f"{path}: 1 job(s).\n"
    before = path.read_text()
    assert "subprocess.run('/bin/a'" in before
    found = imported("crontab", "-", "--write", str(path))
    assert f"{path} is there already" in found.problems
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["crontab"], "Name the crontab"),
        (["crontab", "/no/such/file"], "/no/such/file cannot be read: "),
        (["django-crontab", "x"], "django-crontab takes neither a file nor --with-user."),
        (["django-crontab"], "The settings have no list CRONJOBS."),
        (["django-q2"], "There is no table django_q_schedule in the default database."),
    ],
)
def test_source_that_is_not_there_is_named(
    db: None, imported: Import, arguments: list[str], why: str
) -> None:
    assert imported(*arguments).problems.startswith(why)
