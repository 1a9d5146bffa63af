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
STOCK: dict[str, str] = {}
"""Rules that templates of Django's own break, and why we cannot mend them: a rule's name, and the
selector of the elements for which it is not asked."""
_RUN = """
([tags, stock]) => axe.run(
    {exclude: stock.map((selector) => [selector])},
    {runOnly: {type: "tag", values: tags}, resultTypes: ["violations"]},
).then((found) => found.violations.map((rule) => ({
    id: rule.id, help: rule.help,
    nodes: rule.nodes.map((node) => `${node.target.join(" ")}: ${node.failureSummary}`),
})))
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


def violations(page: Page, script: str, without: str = "") -> list[str]:
    """Return what breaks a rule, one line a rule. `without`: a selector of what is left out."""
    page.evaluate(script)  # a script element would need a hole in the content security policy
    found: list[dict[str, Any]] = page.evaluate(_RUN, [TAGS, [without] if without else []])
    return [_words(rule) for rule in found]


def _words(rule: dict[str, Any]) -> str:
    nodes = "".join(f"\n    {' '.join(node.split())}" for node in rule["nodes"][:5])
    return f"{rule['id']}: {rule['help']} ({len(rule['nodes'])} elements){nodes}"


def sideways(page: Page) -> int:
    """Return by how many pixels the page can be scrolled sideways."""
    width: int = page.evaluate(
        "() => document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
    )
    return width
