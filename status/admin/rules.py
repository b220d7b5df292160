"""Rules: checked when they are stored, and tried over the last day before they are believed."""

import math
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from realtime.admin.forms import PrintableForm
from realtime.components import components
from realtime.protocol.errors import RealtimeError
from status.alerts.deciding import beyond
from status.alerts.expressions import ExpressionError, parsed
from status.alerts.trial import Episode, trial
from status.models import AlertRule

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[AlertRule]
else:
    _ModelAdmin = admin.ModelAdmin  # not subscriptable at run time

MAX_SHOWN = 50
MAX_SECONDS = 30 * 86_400
_NUMBERS = ("threshold", "clear_threshold", "escalate_threshold")
_SECONDS = ("duration_s", "clear_after_s", "escalate_after_s")


class AlertRuleForm(PrintableForm):
    """Refuses what could never be evaluated, and thresholds that contradict each other."""

    class Meta:
        model = AlertRule
        exclude = ["error"]

    def clean_component(self) -> str:
        name: str = self.cleaned_data["component"]
        if name not in components():
            known = ", ".join(components())
            raise forms.ValidationError(f"expected one of {known}, got {name!r}")
        return name

    def clean_expression(self) -> str:
        text: str = self.cleaned_data["expression"]
        try:
            parsed(text)
        except ExpressionError as error:
            raise forms.ValidationError(str(error)) from error
        return text

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        given = self.cleaned_data
        for name in (*_NUMBERS, *_SECONDS):
            value = given.get(name)
            if value is not None and not math.isfinite(value):
                self.add_error(name, f"expected a number, got {value}")
        for name in _SECONDS:
            value = given.get(name)
            if value is not None and not 0 <= value <= MAX_SECONDS:
                self.add_error(name, f"expected seconds from 0 to {MAX_SECONDS}, got {value:g}")
        self._check_sides(given)
        return cleaned

    def _check_sides(self, given: dict[str, Any]) -> None:
        """Closing must be on the good side of opening, escalating on the bad one."""
        threshold, comparison = given.get("threshold"), given.get("comparison")
        if threshold is None or comparison is None:
            return
        clear, worse = given.get("clear_threshold"), given.get("escalate_threshold")
        if clear is not None and clear != threshold and beyond(comparison, clear, threshold):
            side = "at most" if comparison == "above" else "at least"
            self.add_error("clear_threshold", f"expected {side} {threshold:g}, got {clear:g}")
        if worse is not None and not beyond(comparison, worse, threshold):
            side = "at least" if comparison == "above" else "at most"
            self.add_error("escalate_threshold", f"expected {side} {threshold:g}, got {worse:g}")


@admin.register(AlertRule)
class AlertRuleAdmin(_ModelAdmin):
    """Opening a rule shows what it would have done with the last 24 hours."""

    form = AlertRuleForm
    list_display = ["name", "expression", "comparison", "threshold", "severity", "enabled", "error"]
    list_filter = ["enabled", "severity", "component"]
    list_editable = ["enabled"]
    search_fields = ["name", "text", "expression"]
    ordering = ["name"]
    readonly_fields = ["error", "dry_run"]
    fieldsets = (
        (None, {"fields": ["name", "component", "text", "enabled", "error"]}),
        ("Opens", {"fields": ["expression", "comparison", "threshold", "duration_s", "subjects"]}),
        ("Closes", {"fields": ["clear_threshold", "clear_after_s"]}),
        ("Severity", {"fields": ["severity", "escalate_threshold", "escalate_after_s"]}),
        ("Dry run over the last 24 hours", {"fields": ["dry_run"]}),
    )

    @admin.display(description="would have")
    def dry_run(self, rule: AlertRule) -> str | SafeString:
        if not rule.expression:
            return "shown once the rule is stored"
        try:
            episodes = trial(rule.expression, rule, timezone.now())
        except (ExpressionError, RealtimeError) as error:
            return f"not evaluated: {error}"
        if not episodes:
            return "opened no alert"
        lines = format_html_join("", "<li>{}</li>", ((_told(one),) for one in episodes[:MAX_SHOWN]))
        return format_html("opened {} alerts<ul>{}</ul>", len(episodes), lines)


def _told(episode: Episode) -> str:
    end = f"to {episode.closed_at:%H:%M}" if episode.closed_at else "and would be open still"
    begin = f"{episode.opened_at:%d %b %H:%M}"
    return f"{episode.severity}, from {begin} {end}, at {episode.value:g}"
