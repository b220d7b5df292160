"""What the files in `docs/` ask of `/metrics`."""

import json
import re
from dataclasses import dataclass

import yaml

from pm_project.environment import ROOT

FILES = ("grafana.json", "prometheus-alerts.yml")
_SELECTOR = re.compile(r"(pm_[a-z_]+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'([a-z]+)=~?"([^"]*)"')
_GROUPING = re.compile(r"by \(([^)]*)\)")
_LEGEND = re.compile(r"\{\{([a-z]+)\}\}")


@dataclass(frozen=True)
class Asked:
    """A series: its name, the values it is to have, and the labels that are shown or summed by."""

    name: str
    values: dict[str, str]
    shown: frozenset[str]


def asked(name: str) -> list[Asked]:
    """By all queries of the file."""
    text = (ROOT / "docs" / name).read_text()
    found = []
    for query, legend in _queries(name, text):
        shown = {part.strip() for by in _GROUPING.findall(query) for part in by.split(",")}
        shown |= set(_LEGEND.findall(legend))
        for series, selector in _SELECTOR.findall(query):
            found.append(Asked(series, dict(_MATCHER.findall(selector)), frozenset(shown)))
    return found


def _queries(name: str, text: str) -> list[tuple[str, str]]:
    """Each with the text that shows its labels."""
    if name.endswith("json"):
        targets = [target for panel in json.loads(text)["panels"] for target in panel["targets"]]
        return [(target["expr"], target.get("legendFormat", "")) for target in targets]
    rules = [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
    labels = re.compile(r"\$labels\.([a-z]+)")
    return [
        (
            rule["expr"],
            " ".join(f"{{{{{one}}}}}" for one in labels.findall(rule["annotations"]["summary"])),
        )
        for rule in rules
    ]
