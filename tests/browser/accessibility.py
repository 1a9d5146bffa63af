"""What axe-core finds on a page, and whether the page scrolls sideways."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.harness.needs import missing

if TYPE_CHECKING:
    from playwright.sync_api import Page

HERE = Path(__file__).parent
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
STOCK = {
    "link-in-text-block": ".breadcrumbs a, #changelist-search a[href='?']",  # colour alone
    "label-title-only": "#searchbar",  # its label is a picture
}
"""What templates of Django's own break (a rule, and the elements), which every site of Django's
admin has and which we do not restyle."""
_RUN = """
([tags, stock]) => axe.run(
    document, {runOnly: {type: "tag", values: tags}, resultTypes: ["violations"]},
).then((found) => found.violations.map((rule) => ({
    id: rule.id,
    help: rule.help,
    nodes: rule.nodes
        .filter((node) => !(stock[rule.id] &&
            document.querySelector(node.target[0])?.matches(stock[rule.id])))
        .map((node) => `${node.target.join(" ")}: ${node.failureSummary}`),
})).filter((rule) => rule.nodes.length > 0))
"""


def install(folder: Path) -> str:
    """Install axe-core here and return its script; skip where npm is missing."""
    if not shutil.which("npm"):
        missing("npm is not installed")
    shutil.copy(HERE / "package.json", folder)
    command = ["npm", "install", "--no-audit", "--no-fund", "--silent"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        missing(f"npm cannot install axe-core: {done.stderr[-500:]}")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text()


def violations(page: Page, script: str) -> list[str]:
    """Return what breaks a rule, one text a rule."""
    page.evaluate(script)  # a script element would need a hole in the content security policy
    found: list[dict[str, Any]] = page.evaluate(_RUN, [TAGS, STOCK])
    return [_words(rule) for rule in found]


def _words(rule: dict[str, Any]) -> str:
    nodes = "".join(f"\n    {' '.join(node.split())}" for node in rule["nodes"][:5])
    return f"{rule['id']}: {rule['help']} ({len(rule['nodes'])} elements){nodes}"


def show(page: Page, width: int, height: int, theme: str) -> None:
    """Show the page in a window of this size and in this theme, with no change of a colour still
    going on."""
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    page.evaluate("() => document.getAnimations().forEach((each) => each.finish())")


def sideways(page: Page) -> int:
    """Return by how many pixels the page can be scrolled sideways."""
    width: int = page.evaluate(
        "() => document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
    )
    return width
