# ruff: noqa

"""Synthetic HTCondor job event logs of glideins (grid universe), legacy date format (what
upstream's parser expects).
"""

import os, random, time

TERM = """005 (%s) %s Job terminated.
\t(1) Normal termination (return value 0)
\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  Run Remote Usage
\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  Run Local Usage
\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  Total Remote Usage
\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  Total Local Usage
\t0  -  Run Bytes Sent By Job
\t0  -  Run Bytes Received By Job
\t0  -  Total Bytes Sent By Job
\t0  -  Total Bytes Received By Job
...
"""


def ts(t):
    return time.strftime("%m/%d %H:%M:%S", time.localtime(t))


def glidein_events(cl, pr, t0, rnd, state):
    """state: done|running|idle ; yields text blocks in time order"""
    jid = "%03d.%03d.000" % (cl, pr)
    out = [
        "000 (%s) %s Job submitted from host: <10.0.0.1:9618?addrs=10.0.0.1-9618&alias=gfactory.example.org&noUDP&sock=schedd_123_abcd>\n...\n"
        % (jid, ts(t0)),
        "027 (%s) %s Job submitted to grid resource\n    GridResource: condor ce1.site.example.org ce1.site.example.org:9619\n    GridJobId: condor ce1.site.example.org ce1.site.example.org:9619 %d.0\n...\n"
        % (jid, ts(t0 + 20), cl),
    ]
    if state in ("running", "done"):
        out.append(
            "001 (%s) %s Job executing on host: condor ce1.site.example.org ce1.site.example.org:9619\n    SlotName: \n...\n"
            % (jid, ts(t0 + 600))
        )
    if state == "done":
        out.append(
            "004 (%s) %s Job was evicted.\n\t(0) CPU times\n...\n" % (jid, ts(t0 + 700))
            if rnd.random() < 0.0
            else ""
        )
        out.append(TERM % (jid, ts(t0 + 20000)))
    return [x for x in out if x]


def write_log(
    path, n, first_cluster=1000, seed=1, now=None, done=0.6, running=0.3, outdir=None, outfrac=1.0
):
    """n glideins; returns (events, bytes). If outdir, creates job.C.P.out for completed ones."""
    rnd = random.Random(seed)
    now = now or time.time()
    ev = []
    for i in range(n):
        r = rnd.random()
        st = "done" if r < done else "running" if r < done + running else "idle"
        cl, pr = first_cluster + i // 10, i % 10
        t0 = now - 40000 + i * (15000.0 / n)
        blocks = glidein_events(cl, pr, t0, rnd, st)
        for k, b in enumerate(blocks):
            ev.append((t0 + k * 100, b))
        if outdir and st == "done" and rnd.random() < outfrac:
            with open(os.path.join(outdir, "job.%d.%d.out" % (cl, pr)), "w") as f:
                f.write(OUT % dict(d=19000 + i % 500, c=18900 + i % 500, v=30 + i % 20))
            os.utime(os.path.join(outdir, "job.%d.%d.out" % (cl, pr)), (now - 100, now - 100))
    ev.sort(key=lambda x: x[0])
    s = "".join(b for _, b in ev)
    with open(path, "w") as f:
        f.write(s)
    return len(ev), len(s)


OUT = (
    "Starting glidein_startup.sh at x\n"
    + "debug line of a glidein stdout, configuration and validation ...........................................\n"
    * 120
    + """=== Last script starting Mon Jan 1 00:00:00 UTC 2025 (1) after validating for %(v)d ===
=== Condor starting Mon Jan 1 00:00:00 UTC 2025 (2) ===
=== Condor ended Mon Jan 1 05:00:00 UTC 2025 (3) after %(c)d ===
=== Stats of slot1_2 ===
Total jobs 5 utilization 17000
Total goodZ jobs 4 (80%%) utilization 16000 (88%%)
Total goodNZ jobs 1 (20%%) utilization 1000 (5%%)
Total badSignal jobs 0 (0%%) utilization 0 (0%%)
Total badOther jobs 0 (0%%) utilization 0 (0%%)
=== End Stats of slot1_2 ===
Total number of activations/claims: 5
=== Glidein ending Mon Jan 1 05:00:01 UTC 2025 (4) with code 0 after %(d)d ===
"""
)
