"""docs/policies.md and docs/reference.md say what is."""

import inspect
import re
from dataclasses import fields
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import scheduler_app
from scheduler_app.conf import SchedulerSettings
from scheduler_app.policies import DEFAULTS, CatchUp, Overlap, Policies
from scheduler_app.registry import job

DOCS = Path(__file__).resolve().parent.parent / "docs"
TEXT = (DOCS / "policies.md").read_text()
PICTURES = sorted((DOCS / "policies").iterdir())


def test_every_policy_is_in_the_table() -> None:
    named = set(re.findall(r"^\| \[?`(\w+)`", TEXT, re.MULTILINE))
    assert named == {field.name for field in fields(Policies)} | {"jitter"}


def test_every_choice_has_a_section() -> None:
    for policy, choices in (("overlap", Overlap), ("catch_up", CatchUp)):
        for value in choices.values:
            assert f'\n### {policy}="{value}"\n' in TEXT


def as_written(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, str):
        return f'`"{value}"`'
    return f"`{value}`" if isinstance(value, bool) else f"{value:g}"


def test_defaults_are_those_of_the_code() -> None:
    rows = dict(re.findall(r"^\| \[?`(\w+)`[^|]*\| ([^|]+) \|", TEXT, re.MULTILINE))
    for field in fields(Policies):
        assert rows[field.name] == as_written(getattr(DEFAULTS, field.name)), field.name


def test_every_picture_is_shown_and_every_shown_picture_is_there() -> None:
    shown = re.findall(r"!\[[^]]+\]\(policies/([^)]+)\)", TEXT)
    assert sorted(shown) == [picture.name for picture in PICTURES]


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_picture_is_told_in_words_and_has_a_dark_form(picture: Path) -> None:
    root = ET.fromstring(picture.read_text())
    assert f"![{root.attrib['aria-label']}]" in TEXT
    assert "prefers-color-scheme: dark" in picture.read_text()


REFERENCE = (DOCS / "reference.md").read_text()


def table(heading: str) -> dict[str, str]:
    """The rows of the first table below a heading: the first columns, and the second ones."""
    section = REFERENCE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section, re.MULTILINE))


def test_every_setting_is_in_the_reference_with_its_default() -> None:
    defaults = {
        name.name: getattr(SchedulerSettings(), name.name) for name in fields(SchedulerSettings)
    }
    rows = table("Settings")
    assert rows.keys() == defaults.keys()
    for name, default in defaults.items():
        written = rows[name].strip("`")
        if isinstance(default, bool | str | None):
            assert written == (f'"{default}"' if isinstance(default, str) else str(default)), name
        elif isinstance(default, int | float):
            assert float(written) == default, name
        else:
            assert written in ("[]", "{}"), name


def test_every_check_is_in_the_reference() -> None:
    source = "".join(path.read_text() for path in Path(scheduler_app.__file__).parent.glob("*.py"))
    named = set(re.findall(r'id="scheduler\.([EW]\d+)"', source))
    rows = re.findall(r"^\| ([EW][\dEW, ]+) \|", REFERENCE, re.MULTILINE)
    assert named <= {each for row in rows for each in row.split(", ")}


def test_every_argument_of_job_is_documented() -> None:
    arguments = set(inspect.signature(job).parameters) - {"registry"}
    assert {name for name in arguments if f"`{name}`" not in REFERENCE} == set()
