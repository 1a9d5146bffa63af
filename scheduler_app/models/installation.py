"""Which installation this database belongs to."""

from django.db import models
from django.db.models.functions import Now

from scheduler_app.models.primary import PrimaryQuerySet


class InstallationQuerySet(PrimaryQuerySet["Installation"]):
    def remembered(self) -> str:
        """Return which installation the database belongs to; empty if to none."""
        return self.filter(pk=1).values_list("name", flat=True).first() or ""

    def remember(self, name: str) -> None:
        """Have the database belong to this installation."""
        self.update_or_create(pk=1, defaults={"name": name, "since": Now()})


class Installation(models.Model):
    """At most one row. A copy of the database takes it along, which is how a copy is noticed."""

    name = models.CharField(max_length=200)
    since = models.DateTimeField(db_default=Now())

    objects = InstallationQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="scheduler_one_installation")
        ]

    def __str__(self) -> str:
        return self.name
