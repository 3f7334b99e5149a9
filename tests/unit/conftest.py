"""Settings of the property tests here: no deadline, for the machine may be busy."""

from hypothesis import settings

settings.register_profile("gwms", deadline=None, max_examples=100)
settings.load_profile("gwms")
