"""What our pages have in common: they show rows, and never write one."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ERROR_FLAG, ChangeList
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.text import capfirst

from scheduler_app.admin.links import Links
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


class OwnList(ChangeList):
    """A list whose title says what it lists (Django's says that something is to be selected), and
    whose rows know where their links lead."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = capfirst(str(self.opts.verbose_name_plural))

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        attach_links(self.result_list, request)


def attach_links(rows: Iterable[Model], request: HttpRequest) -> None:
    """Have links_of() know for these rows which site shows them, and to whom."""
    links = Links(request)
    for row in rows:
        vars(row)["links"] = links


def links_of(row: Model) -> Links:
    """Return the addresses on the site that shows this row."""
    links: Links = vars(row)["links"]
    return links


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

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return OwnList

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> M | None:
        found = self.is_key(object_id)
        row = super().get_object(request, object_id, from_field) if found else None
        attach_links([row] if row else [], request)
        return row

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.stay_on_site(request)
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
        self.stay_on_site(request)
        context |= self.page_context(request, context["original"])
        return super().render_change_form(request, context, add, change, form_url, obj)

    def stay_on_site(self, request: HttpRequest) -> None:
        """Have Links lead to this site: Django itself says so only when it begins to render."""
        vars(request)["current_app"] = self.admin_site.name

    def page_context(self, request: HttpRequest, row: M) -> dict[str, Any]:
        """Return what the page of this row shows besides its fields."""
        return {}

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False
