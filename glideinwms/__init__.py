"""GlideinWMS: one HTCondor pool out of many grid sites."""

__version__ = "4.0.0a1"
