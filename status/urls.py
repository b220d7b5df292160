"""Probes for supervisors and load balancers; they need no credentials and tell nothing else.

`counters` is for measuring: without DEBUG it is there for those alone who may read the status.
"""

from django.urls import path

from status import health

urlpatterns = [
    path("live", health.live),
    path("ready", health.ready),
    path("counters", health.counters),
]
