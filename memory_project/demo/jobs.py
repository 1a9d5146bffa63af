"""The demonstration's jobs, as the app's discovery finds them."""

from memory_project.demo.declare import declare
from scheduler_app.registry import registry

declare(registry)
