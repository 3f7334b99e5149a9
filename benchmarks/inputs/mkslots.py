# ruff: noqa

"""50k fake startd ads for the perf collector: mkslots.py N > file (old ClassAd format, blank-line
separated)
"""

import sys

N = int(sys.argv[1])
E = int(sys.argv[2]) if len(sys.argv) > 2 else 500
import time

now = int(time.time())
extra = "".join(
    'GLIDEIN_Attr_%03d = "some value of a published attribute %d"\n' % (i, i) for i in range(60)
) + "".join("NumAttr_%03d = %d\n" % (i, i * 7919) for i in range(60))
w = sys.stdout.write
for i in range(N):
    g = i // 9
    k = i % 9
    e = g % E
    p = k == 0
    w(
        'MyType = "Machine"\nTargetType = "Job"\nName = "%s@glidein_%d_%d@wn%d.example.org"\nMachine = "wn%d.example.org"\nMyAddress = "<10.0.%d.%d:9618>"\nStartdIpAddr = "<10.0.%d.%d:9618>"\n'
        % (
            "slot1" if p else "slot1_%d" % k,
            g,
            g,
            g,
            g,
            (g >> 8) & 255,
            g & 255,
            (g >> 8) & 255,
            g & 255,
        )
    )
    w(
        'State = "%s"\nActivity = "%s"\nCpus = %d\nMemory = 2000\nTotalSlots = 9\nTotalSlotCpus = 8\nSlotType = "%s"\nPartitionableSlot = %s\nSlotID = 1\n'
        % (
            "Unclaimed" if p else "Claimed",
            "Idle" if p else "Busy",
            0 if p else 1,
            "Partitionable" if p else "Dynamic",
            p,
        )
    )
    w(
        'GLIDEIN_Factory = "PerfFactory"\nGLIDEIN_Name = "v3_10"\nGLIDEIN_Entry_Name = "CMS_T2_SITE_%03d_ce%02d"\nGLIDECLIENT_Name = "perffe.main"\nGLIDECLIENT_ReqNode = "gfactory.example.org"\nGLIDEIN_Schedd = "schedd_glideins1@gfactory.example.org"\nGLIDEIN_CredentialIdentifier = "cred%d"\nEnteredCurrentState = %d\nEnteredCurrentActivity = %d\nRequirements = START\nSTART = (MY.Cpus > 0) && (TARGET.RequestMemory <= MY.Memory)\nDaemonStartTime = %d\nClassAdLifetime = 86400\n'
        % (e % 100, e // 100, g % 2, now - 1000, now - 900, now - 5000)
    )
    w(extra)
    w("\n")
