"""What a person fills in to act on a job. Moments are read in the time zone of the job."""

import json
from collections.abc import Mapping
from inspect import Parameter
from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler_app.admin.job_words import label, value_words
from scheduler_app.control import REASON_LIMIT
from scheduler_app.models import Job
from scheduler_app.models.override import OVERRIDABLE
from scheduler_app.policies import CatchUp, Overlap
from scheduler_app.registry import registry
from scheduler_app.status import JobStatus

MOMENT_FORMAT = "%Y-%m-%dT%H:%M"
MOMENT_FORMATS = (MOMENT_FORMAT, "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S")
LONGEST_ARGUMENT = 10_000


class MomentField(forms.DateTimeField):
    """A date and a time, as browsers send them."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput({"type": "datetime-local", "step": "1"}, format=MOMENT_FORMAT)
        super().__init__(widget=widget, input_formats=MOMENT_FORMATS, **kwargs)


class ActForm(forms.Form):
    """Why a person acts."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=REASON_LIMIT,
        widget=forms.TextInput({"size": 60}),
        help_text=gettext_lazy("Kept in the audit log."),
    )
    order = ("reason",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": ""} | kwargs)


class PauseForm(ActForm):
    until = MomentField(
        label=gettext_lazy("Until"),
        required=False,
        help_text=gettext_lazy("The job is resumed by itself then. Empty: when a person does."),
    )


class ResumeForm(ActForm):
    catch_up = forms.ChoiceField(
        label=gettext_lazy("Occurrences of the pause"),
        choices=CatchUp.choices,
        required=False,
        widget=forms.RadioSelect,
    )
    field_order = ("catch_up", "reason")

    def clean_catch_up(self) -> CatchUp:
        return CatchUp(self.cleaned_data["catch_up"] or CatchUp.SKIP)


class RunForm(ActForm):
    """A field for each argument that the job's function takes besides its context."""

    overlap = forms.ChoiceField(
        label=gettext_lazy("If the job has not ended"),
        required=False,
        choices=[
            ("", gettext_lazy("wait, unless the job allows overlap")),
            (Overlap.SKIP, gettext_lazy("do not run")),
            (Overlap.ALLOW, gettext_lazy("run beside it")),
            (Overlap.QUEUE, gettext_lazy("wait for its end")),
            (Overlap.CANCEL_PREVIOUS, gettext_lazy("cancel it first")),
        ],
    )

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parameters = parameters(name)
        for parameter in self.parameters:
            self.fields[_field(parameter)] = forms.CharField(
                label=format_html("<code>{}</code>", _named(parameter)),
                required=False,
                max_length=LONGEST_ARGUMENT,
                widget=forms.TextInput({"size": 40, "placeholder": _default(parameter)}),
            )
        self.order_fields([*map(_field, self.parameters), "overlap", "reason"])

    def clean(self) -> dict[str, Any] | None:
        """Gather the arguments that were filled in: as JSON where they are that, else as text."""
        arguments = dict[str, Any]()
        for parameter in self.parameters:
            text = self.cleaned_data.get(_field(parameter), "")
            if not text:
                continue
            if parameter.kind is Parameter.VAR_KEYWORD:
                arguments |= self._more(parameter, text)
            else:
                arguments[parameter.name] = _value(parameter, text)
        self.cleaned_data["arguments"] = arguments
        return self.cleaned_data

    def _more(self, parameter: Parameter, text: str) -> dict[str, Any]:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            return found
        self.add_error(_field(parameter), _('Use JSON such as {"limit": 10}.'))
        return {}


class BackfillForm(ActForm):
    since = MomentField(label=gettext_lazy("From"))
    until = MomentField(label=gettext_lazy("Up to, not included"))
    include_succeeded = forms.BooleanField(
        label=gettext_lazy("Run again what succeeded, too"), required=False
    )
    field_order = ("since", "until", "include_succeeded", "reason")


class EditForm(ActForm):
    """A field for each that can be overridden, with what is in force."""

    etag = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def __init__(self, *args: Any, status: JobStatus, **kwargs: Any) -> None:
        self.in_force = in_force(status)
        initial = self.in_force | {"etag": status.etag} | (kwargs.pop("initial", None) or {})
        super().__init__(*args, initial=initial, **kwargs)
        for name in OVERRIDABLE:
            self.fields[name] = _setting(name, status)
        self.order_fields([*OVERRIDABLE, "reason"])

    def changes(self) -> dict[str, Any]:
        """Return the values that differ from what is in force."""
        chosen = {name: self._value(name) for name in OVERRIDABLE}
        return {name: value for name, value in chosen.items() if value != self.in_force[name]}

    def values(self) -> dict[str, Any]:
        """Return what would be in force."""
        return self.in_force | self.changes()

    def _value(self, name: str) -> Any:
        value = self.cleaned_data[name]
        if isinstance(value, str) and name == "cron":
            return " ".join(value.split())
        return value


def in_force(status: JobStatus) -> dict[str, Any]:
    """Return what is in force of each field that can be overridden."""
    own = {"cron": status.cron, "timezone": status.timezone, "jitter": status.jitter}
    return {
        name: own[name] if name in own else getattr(status.policies, name) for name in OVERRIDABLE
    }


def _setting(name: str, status: JobStatus) -> forms.Field:
    model_field: Any = Job._meta.get_field(name)
    if model_field.choices:
        choices = [(value, f"{value}: {words}") for value, words in model_field.choices]
        field: forms.Field = forms.ChoiceField(choices=choices)
    else:
        field = model_field.formfield()
    if name in status.overrides and name in status.declared:
        declared = value_words(status.declared[name])
        field.help_text = _("Overridden; the code declares %s.") % declared
    elif field.help_text:
        field.help_text = _(str(field.help_text))
    if name == "cron":
        field.widget = forms.TextInput({"size": 40, "class": "vTextField", "spellcheck": "false"})
    if name == "timezone":
        field.widget.attrs["list"] = "zones"
    field.label = label(name).capitalize()
    return field


def parameters(name: str) -> list[Parameter]:
    """Return the parameters of a job's function that a person can fill, as far as the code of this
    process knows the job."""
    definition = registry.get(name)
    return definition.parameters() if definition else []


def _field(parameter: Parameter) -> str:
    return f"argument_{parameter.name}"


def _named(parameter: Parameter) -> str:
    return f"**{parameter.name}" if parameter.kind is Parameter.VAR_KEYWORD else parameter.name


def _default(parameter: Parameter) -> str:
    if parameter.kind is Parameter.VAR_KEYWORD:
        return '{"name": "value"}'
    return "" if parameter.default is Parameter.empty else value_text(parameter.default)


def value_text(value: Any) -> str:
    """Return a default as a person would type it."""
    try:
        return value if isinstance(value, str) else json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return ""


def _value(parameter: Parameter, text: str) -> Any:
    if parameter.annotation in (str, "str"):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def hidden(form: forms.Form) -> Mapping[str, str]:
    """Return the fields of a bound form as they were sent, to be sent again."""
    return {
        name: value
        for name, value in form.data.items()
        if name in form.fields  # each sent once
    }
