"""Probes for supervisors and load balancers; they need no credentials and tell nothing else."""

from django.urls import path

from status import probes

urlpatterns = [path("live", probes.live), path("ready", probes.ready)]
