"""What a job may choose about how its occurrences are treated."""

from django.db.models import TextChoices


class Overlap(TextChoices):
    """What happens to an occurrence whose job is still running."""

    SKIP = "skip", "skip the new occurrence"
    ALLOW = "allow", "let both run"
