from django.apps import AppConfig


class FaultyConfig(AppConfig):
    name = "tests.chaos.faulty"

    def ready(self) -> None:
        from tests.chaos.faulty import clock, faults  # the engine's models have to be loaded first

        clock.arm()
        faults.arm()
