from django.apps import AppConfig


class SoakConfig(AppConfig):
    name = "tests.soak.app"

    def ready(self) -> None:
        from tests.chaos.faulty import clock  # Django's settings have to be loaded first

        clock.arm()
