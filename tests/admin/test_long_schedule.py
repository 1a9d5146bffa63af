"""A schedule whose text is as long as it may be."""

from collections.abc import Callable
from datetime import date, timedelta

from django.test import Client

from scheduler_app.models import Job


def test_long_schedule_is_shown_by_its_ends(
    admin_client: Client, make_job: Callable[..., Job]
) -> None:
    days = ",".join(str(date(2026, 1, 1) + timedelta(days=2 * n)) for n in range(150))
    make_job("long", f"0 3 * * * except {days}")
    for page in ("change", "edit"):
        html = admin_client.get(f"/admin/scheduler_app/job/long/{page}/").content.decode()
        assert f'"0 3 * * * except {days}"' in html
    html = admin_client.get("/admin/scheduler_app/job/long/change/").content.decode()
    assert f'title="0 3 * * * except {days}"' in html
    assert "or 144 more days" in html
