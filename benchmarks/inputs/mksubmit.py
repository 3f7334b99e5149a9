# ruff: noqa

"""Submit description of C job classes, n jobs each: mksubmit.py C n E > file.sub"""

import sys

import synth

C, n, E = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
print(
    "universe = vanilla\nexecutable = /bin/sleep\narguments = 60\nshould_transfer_files = NO\nlog = /dev/null\nnotification = never"
)
for c in synth.gen_classes(C, E):
    print(
        '+DESIRED_Sites = "%(DESIRED_Sites)s"\nrequest_memory = %(RequestMemory)d\nrequest_cpus = %(RequestCpus)d\n+MaxWallTimeMins = %(MaxWallTimeMins)d\n+REQUIRED_OS = "%(REQUIRED_OS)s"'
        % c
    )
    print(
        '+x509userproxy = "/tmp/x509up_u1"\n+x509UserProxyFQAN = "/DC=org/CN=1,/cms/Role=NULL"\n+x509UserProxyFirstFQAN = "/cms/Role=NULL/Capability=NULL"\n+AcctGroup = "production"\n+CMS_Type = "production"\n+CRAB_X = "some other attribute value"\nqueue %d'
        % n
    )
