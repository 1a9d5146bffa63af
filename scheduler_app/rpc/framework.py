"""All that is used of django-grpc-framework, which is no longer maintained.

`Service.as_servicer()` makes a servicer that calls a fresh instance for each request and sends the
signals that close old database connections; the settings name handlers and interceptors."""

from django_grpc_framework.services import Service
from django_grpc_framework.settings import grpc_settings

__all__ = ["Service", "grpc_settings"]
