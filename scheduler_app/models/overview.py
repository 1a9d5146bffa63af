"""Makes the overview a page in the admin's lists and side bar, which know models only."""

from django.utils.translation import gettext_lazy as _

from scheduler_app.models.job import Job


class Overview(Job):
    """Not a table of its own; nothing is ever read through it, and it has no permissions."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = _("overview")
        # Django sorts by this text: the space, which no browser shows, makes it the first.
        verbose_name_plural = _(" Overview")
