"""Build submit descriptions for clouds, where pilots start from a machine's metadata.

See protocol 4.10.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from glideinwms.factory.submit.arguments import arguments, merged_params

if TYPE_CHECKING:
    from glideinwms.factory.submit.description import SubmitSpec

KINDS = ("ec2", "gce")
DEFAULT_LIFETIME = 43200


def user_data(order: SubmitSpec) -> str:
    """The metadata's ini text."""
    params = merged_params(order.entry, order.request)
    line = arguments(order.policy, order.entry, order.sub, order.request, numbered=False)
    return f"""[glidein_startup]
args = {line}
idtoken_file_name = credential_frontend.idtoken
proxy_file_name = pilot_proxy
webbase= {order.policy.stage.url}

[vm_properties]
max_lifetime = {params.get("VM_MAX_LIFETIME", DEFAULT_LIFETIME)}
contextualization_type = {order.gridtype.upper()}
disable_shutdown = {params.get("VM_DISABLE_SHUTDOWN", False)}
admin_email = UNSUPPORTED
email_logs = False
"""


def metadata(order: SubmitSpec) -> str:
    """Return the `glideinwms_metadata=` item of a machine, with its cluster and process numbers."""
    text = base64.b64encode(user_data(order).encode()).decode()
    return f"glideinwms_metadata={text}#### -cluster $(Cluster) -subcluster $(Process)####"


def ec2(order: SubmitSpec) -> dict[str, str]:
    """Commands of an Amazon style cloud."""
    files, extra = order.request.files, order.request.extra
    where = files.get("public_key", "").rsplit("/", 1)[0]
    return {
        "grid_resource": f"ec2 {order.sub.gatekeeper}",
        "ec2_ami_id": extra.get("VMId", order.sub.vm_id),
        "ec2_instance_type": extra.get("VMType", order.sub.vm_type),
        "ec2_access_key_id": files.get("public_key", ""),
        "ec2_secret_access_key": files.get("private_key", ""),
        "ec2_keypair_file": f"{where}/ssh_key_pair.$(Cluster).$(Process).pem",
        "ec2_user_data": metadata(order),
        "ec2_user_data_file": files.get("glidein_proxy", ""),
    }


def gce(order: SubmitSpec) -> dict[str, str]:
    """Commands of a Google style cloud. Project and zone are macros that submit_attrs define."""
    files, extra = order.request.files, order.request.extra
    return {
        "grid_resource": f"gce {order.sub.gatekeeper} $(gce_project_name) $(gce_availability_zone)",
        "gce_image": extra.get("VMId", order.sub.vm_id),
        "gce_machine_type": extra.get("VMType", order.sub.vm_type),
        "gce_auth_file": files.get("auth_file", ""),
        "gce_metadata": metadata(order),
        "gce_metadata_file": files.get("glidein_proxy", ""),
    }
