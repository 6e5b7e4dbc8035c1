"""Examples take what they take: a deadline on a busy machine measures the machine."""

from hypothesis import settings

settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")
