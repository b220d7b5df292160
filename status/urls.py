"""Probes for supervisors and load balancers; they need no credentials and tell nothing else.

`counters` is for measuring on a developer's machine: without DEBUG it does not exist.
"""

from django.urls import path

from status import probes

urlpatterns = [
    path("live", probes.live),
    path("ready", probes.ready),
    path("counters", probes.counters),
]
