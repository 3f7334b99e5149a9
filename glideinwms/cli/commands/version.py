"""`gwms version`: the version of this program."""

from glideinwms import __version__
from glideinwms.cli.output import Json, print_json


def version(as_json: Json = False) -> None:
    """Print the version of this program."""
    if as_json:
        print_json({"version": __version__})
    else:
        print(f"GlideinWMS {__version__}")
