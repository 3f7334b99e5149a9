"""`gwms version`."""

from glideinwms import __version__


def version() -> None:
    """Print the version of this program."""
    print(f"GlideinWMS {__version__}")
