"""What our pages have in common: they show rows, and never write one."""

from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

M = TypeVar("M", bound=Model)

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
else:

    class ModelAdmin(admin.ModelAdmin):
        def __class_getitem__(cls, _: object) -> type:
            """Django's own is generic for type checkers only."""
            return cls


class ReadOnlyAdmin(ModelAdmin[M]):
    """Looking needs the model's view permission; nothing can be added, changed or deleted."""

    show_facets = admin.ShowFacets.NEVER  # each would count the whole table

    class Media:
        css = {"all": ("scheduler_app/admin.css",)}

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False
