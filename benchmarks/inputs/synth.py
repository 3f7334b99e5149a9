# ruff: noqa

"""Deterministic synthetic inputs for GlideinWMS frontend-matching benchmarks (stdlib only).

The same generator must be used by every implementation that is compared.
Semantics of the input (see spec/perf.md, section 2a):
  jobs    : {schedd: {(ClusterId, ProcId): {attr: value}}}      (what
  condorMonitor.CondorQ.fetchStored() holds)
  entries : {(factory_pool, "entry@glidein@factory", my_identity): {"attrs":{}, "params":{},
  "monitor":{}}}
  slots   : {collector(None): {slot_name: {attr: value}}}       (what
  condorMonitor.CondorStatus.fetchStored() holds)
"""

import random

FE_NAME, GROUP = "perffe", "main"
SERVER_TIME = 1_760_000_000
FACTORY, GLIDEIN, FPOOL = "PerfFactory", "v3_10", "gfactory.example.org:9618"
OSES = ("any", "rhel7", "rhel8", "rhel9")
JOB_MATCH_ATTRS = (
    ("DESIRED_Sites", "s"),
    ("RequestMemory", "i"),
    ("RequestCpus", "i"),
    ("MaxWallTimeMins", "i"),
    ("REQUIRED_OS", "s"),
)
# global match_expr AND group match_expr, merged as in spec/protocol.md 5.3. first line: what the
# deployed program appends for multicore and container policy; the rest: terms as CMS used them in
# production in 2019, plus DESIRED_Sites membership
_GROUP_EXPR = (
    '((job.get("DESIRED_Sites") == None) or (glidein["attrs"].get("GLIDEIN_Site") in job.get("DESIRED_Sites").split(",")))'
    ' and (((glidein["attrs"].get("GLIDEIN_MaxMemMBs", 0) == 0) or (job.get("RequestMemory", 0)<=glidein["attrs"]["GLIDEIN_MaxMemMBs"]))'
    ' and ((job.get("REQUIRED_OS", "any")=="any") or (glidein["attrs"].get("GLIDEIN_REQUIRED_OS", "any")=="any") or (job.get("REQUIRED_OS")==glidein["attrs"]["GLIDEIN_REQUIRED_OS"]))'
    ' and ((job.get("MaxWallTimeMins", 0)*60)>=glidein["attrs"].get("GLIDEIN_Job_Min_Time", 0))'
    ' and ((job.get("MaxWallTimeMins", 0)+10)<(glidein["attrs"]["GLIDEIN_Max_Walltime"]-glidein["attrs"]["GLIDEIN_Retire_Time_Spread"])/60))'
)
# global section: the multicore term is appended to the (default "True") global expression
_FE_EXPR = '(True) and (getGlideinCpusNum(glidein) >= int(job.get("RequestCpus", 1)))'
# group section with GLIDEIN_Singularity_Use=REQUIRED: apply_group_singularity_policy() appends
_GRP_EXPR = (
    '(%s) and (glidein["attrs"].get("GLIDEIN_SINGULARITY_REQUIRE", "NEVER") != "NEVER")'
    % _GROUP_EXPR
)
MATCH_EXPR = "(%s) and (%s)" % (_FE_EXPR, _GRP_EXPR)  # (global) and (group)


def n_sites(E):
    return max(5, E // 5)


def gen_entries(E, seed=1):
    rnd = random.Random(seed * 7919 + E)
    ns = n_sites(E)
    out = {}
    for i in range(E):
        site = "T2_SITE_%03d" % (i % ns)
        name = "CMS_%s_ce%02d" % (site, i // ns)
        attrs = {
            "GLIDEIN_Site": site,
            "GLIDEIN_CMSSite": site,
            "GLIDEIN_MaxMemMBs": rnd.choice((0, 2500, 8000, 16000, 20000)),
            "GLIDEIN_CPUS": rnd.choice((1, 8, 8, 8, "auto")),
            "GLIDEIN_ESTIMATED_CPUS": 8,
            "GLIDEIN_REQUIRED_OS": rnd.choice(OSES),
            "GLIDEIN_Max_Walltime": rnd.choice((86400, 172800, 259200)),
            "GLIDEIN_Retire_Time_Spread": 7200,
            "GLIDEIN_Job_Min_Time": rnd.choice((0, 0, 3600)),
            "GLIDEIN_SINGULARITY_REQUIRE": rnd.choice(
                ("OPTIONAL", "PREFERRED", "REQUIRED", "NEVER")
            )
            if rnd.random() < 0.3
            else "PREFERRED",
            "GLIDEIN_In_Downtime": "True" if rnd.random() < 0.02 else "False",
            "EntryName": name,
            "GlideinName": GLIDEIN,
            "FactoryName": FACTORY,
            "GLIDEIN_TrustDomain": "grid",
            "GLIDEIN_SupportedAuthenticationMethod": "grid_proxy",
            "GLIDEIN_Gatekeeper": "ce%d.%s.example.org ce.example.org:9619" % (i, site.lower()),
            "GLIDEIN_GridType": "condor",
            "AuthenticatedIdentity": "gfactory@gfactory.example.org",
            "PubKeyType": "RSA",
            "PubKeyID": "deadbeef",
        }
        for k in range(45):  # an entry ad carries ~60-70 attributes
            attrs["GLIDEIN_Extra_%02d" % k] = "value_%d_%d" % (i, k)
        out[(FPOOL, "%s@%s@%s" % (name, GLIDEIN, FACTORY), "vofrontend@fe.example.org")] = {
            "attrs": attrs,
            "params": {"CONDOR_VERSION": "default", "GLIDEIN_Glexec_Use": "NEVER"},
            "monitor": {"TotalStatusIdle": 3, "TotalStatusRunning": 10, "TotalRequestedIdle": 5},
        }
    return out


def gen_classes(C, E, seed=1):
    rnd = random.Random(seed * 104729 + C * 31 + E)
    ns = n_sites(E)
    sites = ["T2_SITE_%03d" % i for i in range(ns)]
    out, seen = [], set()
    while len(out) < C:
        r = rnd.random()
        k = rnd.randint(1, 3) if r < 0.4 else rnd.randint(4, 15) if r < 0.8 else rnd.randint(16, 60)
        k = min(k, ns)
        ds = ",".join(rnd.sample(sites, k))
        cl = {
            "DESIRED_Sites": ds,
            "RequestMemory": rnd.choice((1000, 2000, 2500, 4000, 8000, 16000)),
            "RequestCpus": rnd.choice((1, 1, 1, 4, 8)),
            "MaxWallTimeMins": rnd.choice((60, 120, 480, 720, 1315)) + (len(out) % 40),
            "REQUIRED_OS": rnd.choice(OSES),
        }
        key = tuple(sorted(cl.items()))
        if key in seen:
            continue
        seen.add(key)
        out.append(cl)
    return out


def gen_jobs(J, C, E, S=10, idle_frac=0.7, layout="own", seed=1, classes=None, fresh_strings=True):
    """layout 'own': class c lives in schedd c%S (clusters = C); 'spread': job j of a class in
    schedd j%S (clusters = S*C)
    """
    rnd = random.Random(seed * 15485863 + J)
    classes = classes or gen_classes(C, E, seed)
    users = ["user%03d@example.org" % i for i in range(100)]
    out = {"schedd%02d.example.org" % s: {} for s in range(S)}
    names = list(out)
    n_in_class = [0] * C
    running = []
    for j in range(J):
        c = j % C
        i = n_in_class[c]
        n_in_class[c] += 1
        s = names[(c if layout == "own" else i) % S]
        jid = (1 + c + (i // 1000) * C, i % 1000)
        cl = classes[c]
        # as the ClassAd bindings do, every job gets its own value objects
        ad = {
            "DESIRED_Sites": (cl["DESIRED_Sites"] + " ")[:-1]
            if fresh_strings
            else cl["DESIRED_Sites"],
            "RequestMemory": cl["RequestMemory"],
            "RequestCpus": cl["RequestCpus"],
            "MaxWallTimeMins": cl["MaxWallTimeMins"],
            "REQUIRED_OS": (cl["REQUIRED_OS"] + " ")[:-1] if fresh_strings else cl["REQUIRED_OS"],
            "ServerTime": SERVER_TIME,
            "x509userproxy": "/home/%s/x509up_u%d" % (users[c % 100], c),
            "x509UserProxyFQAN": "/DC=org/CN=%d,/cms/Role=NULL/Capability=NULL" % (c % 100),
        }
        if rnd.random() < 0.9:
            ad["x509UserProxyFirstFQAN"] = "/cms/Role=NULL/Capability=NULL"
        if rnd.random() < idle_frac:
            ad["JobStatus"] = 1
            age = rnd.choice((30, 300, 1200, 2400, 5000, 20000))
        else:
            ad["JobStatus"] = 2
            age = rnd.choice((300, 5000, 20000))
            running.append((s, jid))
        ad["EnteredCurrentStatus"] = SERVER_TIME - age
        out[s][jid] = ad
    return out, running


def gen_slots(jobs, running, entries, seed=1, idle_pslots=None):
    """One dynamic slot per running job (8 per glidein), one pslot per glidein; sets RemoteHost of
    the running jobs
    """
    rnd = random.Random(seed * 32452843)
    ekeys = list(entries)
    slots = {}
    n = 0

    def base(el, **kw):
        name = el[1].split("@")
        d = {
            "EnteredCurrentState": SERVER_TIME - 1000,
            "EnteredCurrentActivity": SERVER_TIME - 900,
            "LastHeardFrom": SERVER_TIME - 60,
            "GLIDEIN_Factory": name[2],
            "GLIDEIN_Name": name[1],
            "GLIDEIN_Entry_Name": name[0],
            "GLIDECLIENT_Name": FE_NAME + "." + GROUP,
            "GLIDECLIENT_ReqNode": FPOOL,
            "GLIDEIN_Schedd": "schedd_glideins1@gfactory.example.org",
            "GLIDEIN_CredentialIdentifier": "cred%d" % (n % 2),
            "Memory": 2000,
        }
        d.update(kw)
        return d

    for k in range(0, len(running), 8):
        el = ekeys[rnd.randrange(len(ekeys))]
        g = "glidein_%d_%d@wn%05d.example.org" % (n % 100000, n, n % 50000)
        chunk = running[k : k + 8]
        slots["slot1@" + g] = base(
            el,
            State="Unclaimed",
            Activity="Idle",
            PartitionableSlot=True,
            SlotType="Partitionable",
            TotalSlots=1 + len(chunk),
            Cpus=8 - len(chunk),
            TotalSlotCpus=8,
        )
        for i, (s, jid) in enumerate(chunk):
            nm = "slot1_%d@%s" % (i + 1, g)
            slots[nm] = base(
                el,
                State="Claimed",
                Activity="Busy",
                SlotType="Dynamic",
                TotalSlots=1 + len(chunk),
                Cpus=1,
                TotalSlotCpus=1,
            )
            jobs[s][jid]["RemoteHost"] = nm
        n += 1
    for i in range(idle_pslots if idle_pslots is not None else max(1, len(running) // 80)):
        el = ekeys[rnd.randrange(len(ekeys))]
        g = "glidein_i_%d@wn%05d.example.org" % (i, i % 50000)
        slots["slot1@" + g] = base(
            el,
            State="Unclaimed",
            Activity="Idle",
            PartitionableSlot=True,
            SlotType="Partitionable",
            TotalSlots=1,
            Cpus=8,
            TotalSlotCpus=8,
        )
    return {None: slots}
