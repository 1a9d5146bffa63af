"""What our pages have in common: they show rows, and never write one."""

from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from scheduler_app.text import is_storable

M = TypeVar("M", bound=Model)
LARGEST_ID = 2**63 - 1

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
else:

    class ModelAdmin(admin.ModelAdmin):
        def __class_getitem__(cls, _: object) -> type:
            """Return the class itself: Django's own is generic for type checkers only."""
            return cls


class ReadOnlyAdmin(ModelAdmin[M]):
    """Looking needs the model's view permission; nothing can be added, changed or deleted."""

    show_facets = admin.ShowFacets.NEVER  # each would count the whole table

    class Media:
        css = {"all": ("scheduler_app/admin.css",)}

    def is_key(self, text: str) -> bool:
        """Return whether a row can have this primary key: the database is asked for no other."""
        try:
            key = self.opts.pk.to_python(text)
        except ValidationError:
            return False
        return is_storable(text) and not (isinstance(key, int) and abs(key) > LARGEST_ID)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> M | None:
        return (
            super().get_object(request, object_id, from_field) if self.is_key(object_id) else None
        )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        asked = [value for values in request.GET.lists() for value in values[1]]
        selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if not (all(map(is_storable, asked)) and all(map(self.is_key, selected))):
            return HttpResponseRedirect(f"{request.path}?{ERROR_FLAG}=1")  # as for a bad filter
        return super().changelist_view(request, extra_context)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: M | None = None,
    ) -> HttpResponse:
        context |= self.page_context(request, context["original"])
        return super().render_change_form(request, context, add, change, form_url, obj)

    def page_context(self, request: HttpRequest, row: M) -> dict[str, Any]:
        """Return what the page of this row shows besides its fields."""
        return {}

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False
