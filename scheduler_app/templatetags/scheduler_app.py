"""{% scheduler_state %}: the banner, for our pages and for any other template of the project."""

from typing import Any

from django import template
from django.template.context import Context

from scheduler_app.admin.banner import banner

register = template.Library()


@register.inclusion_tag("scheduler_app/admin/scheduler_state.html", takes_context=True)
def scheduler_state(context: Context) -> dict[str, Any]:
    """Show whether schedulers run and work, to who may see anything of the scheduler."""
    user = context["request"].user
    return {"banner": banner()} if user.has_module_perms("scheduler_app") else {}
