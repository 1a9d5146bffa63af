"""docs/policies.md says what is."""

import re
from dataclasses import fields
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from scheduler_app.policies import DEFAULTS, CatchUp, Overlap, Policies

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
