"""Addresses of our pages on the site that shows the present one: a project may have several sites,
each with some of our models."""

from typing import NamedTuple
from urllib.parse import urlencode

from django.contrib.admin.utils import quote
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse


class Links(NamedTuple):
    """Each address is empty if the site lacks the page, or this user may not use it."""

    request: HttpRequest

    def may(self, permission: str) -> bool:
        """Return whether the user has this permission of the scheduler."""
        return self.request.user.has_perm(f"scheduler_app.{permission}")

    def overview(self) -> str:
        """Return the address of the overview."""
        site = getattr(self.request, "current_app", None)
        try:
            return reverse("admin:app_list", args=["scheduler_app"], current_app=site)
        except NoReverseMatch:
            return ""

    def job(self, name: str) -> str:
        """Return the address of the page of a job."""
        return self._page("job_change", quote(name)) if self.may("view_job") else ""

    def run(self, pk: int) -> str:
        """Return the address of the page of a run."""
        return self._page("jobrun_change", pk) if self.may("view_jobrun") else ""

    def node(self, pk: int) -> str:
        """Return the address of the page of a scheduler process."""
        return self._page("node_change", pk) if self.may("view_node") else ""

    def list(self, model: str, **query: str) -> str:
        """Return the address of a list, narrowed by this query."""
        page = self._page(f"{model}_changelist") if self.may(f"view_{model}") else ""
        return f"{page}?{urlencode(query)}" if page and query else page

    def job_action(self, action: str, name: str) -> str:
        """Return the address to which the button of a job posts."""
        allowed = self.may("view_job") and self.may(f"{action}_job")
        return self._page(f"job_{action}", quote(name)) if allowed else ""

    def run_action(self, action: str, permission: str, pk: int) -> str:
        """Return the address to which the button of a run posts."""
        allowed = self.may("view_jobrun") and self.may(permission)
        return self._page(f"jobrun_{action}", pk) if allowed else ""

    def _page(self, name: str, *key: object) -> str:
        site = getattr(self.request, "current_app", None)
        try:
            return reverse(f"admin:scheduler_app_{name}", args=key, current_app=site)
        except NoReverseMatch:
            return ""
