"""Addresses of chat: what the project includes below `/api/`."""

from chat.api.urls import api_urlpatterns

__all__ = ["api_urlpatterns"]
