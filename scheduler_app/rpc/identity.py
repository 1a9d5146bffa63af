"""How a client says who it is: keys of a call's metadata."""

ACTOR_KEY = "x-scheduler-actor"
SURFACE_KEY = "x-scheduler-surface"
