"""For our pages and for any other template of the project: {% scheduler_state %}, the banner;
{% scheduler_card %}, the banner and what needs a person; {% scheduler_overview %}, all of it."""

from typing import Any

from django import template
from django.template.context import Context

register = template.Library()


@register.inclusion_tag("scheduler_app/admin/scheduler_state.html", takes_context=True)
def scheduler_state(context: Context) -> dict[str, Any]:
    """Show whether schedulers run and work, to who may see anything of the scheduler; nothing to
    others, nor in a template that is rendered without a request."""
    # Django imports this module to check templates, even where there can be no models of ours.
    from scheduler_app.admin.banner import banner

    user = getattr(context.get("request"), "user", None)
    return {"banner": banner()} if user and user.has_module_perms("scheduler_app") else {}


@register.inclusion_tag("scheduler_app/admin/overview/page.html", takes_context=True)
def scheduler_overview(context: Context) -> dict[str, Any]:
    """Show the overview to who may see anything of the scheduler, each part to who may see that."""
    from scheduler_app.admin.overview import overview

    request = context.get("request")
    if request is None or not request.user.has_module_perms("scheduler_app"):
        return {}
    token = context.get("csrf_token")
    return overview(request) | {"request": request, "csrf_token": token}


@register.inclusion_tag("scheduler_app/admin/overview/card.html", takes_context=True)
def scheduler_card(context: Context) -> dict[str, Any]:
    """Show the banner, and below it in a line what the overview says, with a link to that."""
    from scheduler_app.admin.overview import card

    request = context.get("request")
    if request is None or not request.user.has_module_perms("scheduler_app"):
        return {}
    return card(request)
