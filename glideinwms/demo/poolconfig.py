"""Write the HTCondor configuration of the grid's pools, each a "host" on loopback."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

# one host stands for all: short intervals make a demo, not production
INTERVALS = """
NEGOTIATOR_INTERVAL = 2
NEGOTIATOR_CYCLE_DELAY = 1
NEGOTIATOR_MIN_INTERVAL = 1
NEGOTIATOR_UPDATE_INTERVAL = 20
SCHEDD_INTERVAL = 5
SCHEDD_MIN_INTERVAL = 1
UPDATE_INTERVAL = 5
MASTER_UPDATE_INTERVAL = 10
COLLECTOR_UPDATE_INTERVAL = 20
CLASSAD_LIFETIME = 60
POLLING_INTERVAL = 1
GRIDMANAGER_JOB_PROBE_INTERVAL = 2
GRIDMANAGER_RESOURCE_PROBE_INTERVAL = 10
GRIDMANAGER_CONTACT_SCHEDD_DELAY = 1
GRIDMANAGER_EMPTY_RESOURCE_DELAY = 20
CGAHP_SCHEDD_INTERACTION_TIME = 1
C_GAHP_CONTACT_SCHEDD_DELAY = 1
SHADOW_QUEUE_UPDATE_INTERVAL = 5
STARTER_UPDATE_INTERVAL = 5
PERIODIC_EXPR_INTERVAL = 5
JOB_DEFAULT_LEASE_DURATION = 60
MASTER_NEW_BINARY_DELAY = 1000000
MASTER_CHECK_NEW_EXEC_INTERVAL = 1000000
"""

PLACES = """
RELEASE_DIR = {prefix}
LOCAL_DIR = {home}
BIN = $(RELEASE_DIR)/bin
SBIN = $(RELEASE_DIR)/sbin
LIB = $(RELEASE_DIR)/lib/condor
LIBEXEC = $(RELEASE_DIR)/libexec/condor
"""

SYSTEM_PLACES = """
LOCAL_DIR = {home}
BIN = {prefix}/bin
SBIN = {prefix}/sbin
LIB = {prefix}/lib/condor
LIBEXEC = {prefix}/libexec/condor
"""

POOL = """
SHARE = $(RELEASE_DIR)/share/condor
ETC = $(LOCAL_DIR)/etc
LOG = $(LOCAL_DIR)/log
SPOOL = $(LOCAL_DIR)/spool
EXECUTE = $(LOCAL_DIR)/execute
LOCK = $(LOCAL_DIR)/lock
RUN = $(LOCAL_DIR)/run
LOCAL_CONFIG_DIR =
LOCAL_CONFIG_FILE =
CERTIFICATE_MAPFILE = $(LOCAL_DIR)/etc/mapfile
CERTIFICATE_MAPFILE_ASSUME_HASH_KEYS = True
C_GAHP_LOG = $(LOCAL_DIR)/log/CGAHPLog.$(USERNAME)
C_GAHP_WORKER_THREAD_LOG = $(LOCAL_DIR)/log/CGAHPWorkerLog.$(USERNAME)
GRIDMANAGER_LOG = $(LOG)/GridmanagerLog.$(USERNAME)

NETWORK_INTERFACE = {address}
BIND_ALL_INTERFACES = False
ENABLE_IPV6 = False
NETWORK_HOSTNAME = {host}
CONDOR_HOST = {address}
COLLECTOR_HOST = {address}:{port}
SHARED_PORT_PORT = {port}
UID_DOMAIN = {host}
FILESYSTEM_DOMAIN = {host}
TRUST_DOMAIN = {host}
SCHEDD_NAME = {name}@{host}

use security:recommended_v9_0
SEC_DEFAULT_AUTHENTICATION = REQUIRED
SEC_DEFAULT_ENCRYPTION = REQUIRED
SEC_DEFAULT_INTEGRITY = REQUIRED
SEC_READ_AUTHENTICATION = REQUIRED
SEC_DEFAULT_AUTHENTICATION_METHODS = IDTOKENS
SEC_READ_AUTHENTICATION_METHODS = IDTOKENS
SEC_CLIENT_AUTHENTICATION_METHODS = IDTOKENS
SEC_PASSWORD_DIRECTORY = $(LOCAL_DIR)/passwords.d
SEC_TOKEN_POOL_SIGNING_KEY_FILE = $(SEC_PASSWORD_DIRECTORY)/POOL
SEC_TOKEN_SYSTEM_DIRECTORY = $(LOCAL_DIR)/tokens.d
SEC_TOKEN_DIRECTORY = $(LOCAL_DIR)/tokens.d
# condor@password: a peer that used the pool's signing key itself
DAEMONS = condor@{host}, condor@password
ALLOW_READ = *@{host}, $(DAEMONS)
ALLOW_WRITE = $(DAEMONS)
ALLOW_DAEMON = $(DAEMONS)
ALLOW_NEGOTIATOR = $(DAEMONS)
ALLOW_ADMINISTRATOR = $(DAEMONS), admin@{host}
ALLOW_CONFIG =

MAIL = /bin/true
JAVA =
PREEN =
STARTER_JOB_ENVIRONMENT = "GWMS_GRID={base}"
"""

# the pilot's identity is <site>@<the Frontend's host> (protocol 3.6)
USER = """
PILOTS = *@{host}, {pilot_hosts}
ALLOW_READ = $(ALLOW_READ), $(PILOTS)
ALLOW_WRITE = $(ALLOW_WRITE), *@{host}
ALLOW_ADVERTISE_STARTD = $(DAEMONS), $(PILOTS)
ALLOW_ADVERTISE_MASTER = $(DAEMONS), $(PILOTS)
# glideresource ads are generic ads, which ask for DAEMON
ALLOW_DAEMON = $(ALLOW_DAEMON), frontend@{host}
"""

WMS = """
SEC_CLIENT_AUTHENTICATION_METHODS = IDTOKENS, SCITOKENS, SSL
AUTH_SSL_CLIENT_CAFILE = {ca}
ALLOW_WRITE = $(ALLOW_WRITE), factory@{host}
ALLOW_ADVERTISE_MASTER = $(DAEMONS), factory@{host}, frontend@{host}
ALLOW_DAEMON = $(ALLOW_DAEMON), factory@{host}, frontend@{host}
# DAEMON implies WRITE, and who may write to a schedd may submit: only the Factory
SCHEDD.ALLOW_DAEMON = $(DAEMONS), factory@{host}
"""

CE = """
SEC_DEFAULT_AUTHENTICATION_METHODS = SCITOKENS, IDTOKENS
SEC_READ_AUTHENTICATION_METHODS = SCITOKENS, IDTOKENS
AUTH_SSL_SERVER_CERTFILE = $(LOCAL_DIR)/etc/host.pem
AUTH_SSL_SERVER_KEYFILE = $(LOCAL_DIR)/etc/host.key
AUTH_SSL_SERVER_CAFILE = {ca}
SCITOKENS_SERVER_AUDIENCE = {host}
SEC_SCITOKENS_CACHE = $(LOCAL_DIR)/run/scitokens
# only what the map file makes of a SciToken may submit here
ALLOW_WRITE = $(DAEMONS), pilots@{host}
NUM_CPUS = {cpus}
MEMORY = {memory}
NUM_SLOTS = 1
NUM_SLOTS_TYPE_1 = 1
SLOT_TYPE_1 = 100%
SLOT_TYPE_1_PARTITIONABLE = True
START = True
RUNBENCHMARKS = False
STARTER_ALLOW_RUNAS_OWNER = False
"""

CLIENT = """
LOCAL_CONFIG_DIR =
LOCAL_CONFIG_FILE =
LOG = $(LOCAL_DIR)/log
SPOOL = $(LOCAL_DIR)
EXECUTE = $(LOCAL_DIR)
LOCK = $(LOCAL_DIR)
RUN = $(LOCAL_DIR)
ENABLE_IPV6 = False
NETWORK_INTERFACE = {address}
BIND_ALL_INTERFACES = False
COLLECTOR_HOST = {collector}
SCHEDD_HOST = {schedd}
TRUST_DOMAIN = {trust}
UID_DOMAIN = {trust}
SEC_CLIENT_AUTHENTICATION = REQUIRED
SEC_CLIENT_ENCRYPTION = REQUIRED
SEC_CLIENT_INTEGRITY = REQUIRED
SEC_CLIENT_AUTHENTICATION_METHODS = IDTOKENS
SEC_PASSWORD_DIRECTORY = $(LOCAL_DIR)/passwords.d
SEC_TOKEN_POOL_SIGNING_KEY_FILE =
SEC_TOKEN_SYSTEM_DIRECTORY = $(LOCAL_DIR)/tokens.d
SEC_TOKEN_DIRECTORY = $(LOCAL_DIR)/tokens.d
MAIL = /bin/true
"""


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """One pool: its daemons besides the master, its configuration, and the batch slots of a CE
    (memory in MB).
    """

    name: str
    daemons: tuple[str, ...]
    role: str
    cpus: int = 1
    memory: int = 1024
    options: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """The name of this host."""
        return f"{self.name.replace('_', '-')}.demo"


SPECS = {
    "user": PoolSpec("user", ("COLLECTOR", "NEGOTIATOR", "SCHEDD"), USER),
    "wms": PoolSpec("wms", ("COLLECTOR", "SCHEDD"), WMS),
    "wms2": PoolSpec("wms2", ("COLLECTOR", "SCHEDD"), WMS),
    "ce_a": PoolSpec(
        "ce_a", ("COLLECTOR", "NEGOTIATOR", "SCHEDD", "STARTD"), CE, cpus=8, memory=16384
    ),
    "ce_b": PoolSpec(
        "ce_b", ("COLLECTOR", "NEGOTIATOR", "SCHEDD", "STARTD"), CE, cpus=16, memory=65536
    ),
}


def places(prefix: Path, home: Path) -> str:
    """Return where HTCondor's programs are: in a relocatable prefix, or in the host's /usr."""
    return (SYSTEM_PLACES if prefix == Path("/usr") else PLACES).format(prefix=prefix, home=home)


def pool_text(
    spec: PoolSpec, prefix: Path, base: Path, collector: str, ca: Path, pilot_hosts: str
) -> str:
    """Return the condor_config of a pool. All its daemons use `collector`, address:port."""
    home = base / spec.name
    address, _, port = collector.rpartition(":")
    values = {
        "base": base,
        "host": spec.host,
        "name": spec.name,
        "address": address,
        "port": port,
        "ca": ca,
    }
    body = (POOL + INTERVALS + spec.role).format(
        **values, pilot_hosts=pilot_hosts, cpus=spec.cpus, memory=spec.memory
    )
    extra = "".join(f"{k} = {v}\n" for k, v in spec.options.items())
    return f"{places(prefix, home)}{body}DAEMON_LIST = MASTER, {', '.join(spec.daemons)}\n{extra}"
