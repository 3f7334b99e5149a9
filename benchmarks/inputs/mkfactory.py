# ruff: noqa

#!/usr/bin/env python3
"""Write a realistic factory configuration with N entries under ROOT; usage: mkfactory.py ROOT N
[nfrontends]
"""

import os, sys

root, n = sys.argv[1], int(sys.argv[2])
nfe = int(sys.argv[3]) if len(sys.argv) > 3 else 10
for d in (
    "web/monitor",
    "web/stage",
    "log/server",
    "log/client",
    "client-proxies",
    "work-dir",
    "js/flot",
    "js/js",
    "condor/sbin",
    "condor/bin",
    "condor/lib",
    "condor/libexec",
):
    os.makedirs(os.path.join(root, d), exist_ok=True)
for f in (
    "js/js/javascriptrrd.wlibs.js",
    "js/js/javascriptrrd.js",
    "js/flot/jquery.js",
    "js/flot/jquery.flot.js",
    "js/flot/jquery.min.js",
):
    open(os.path.join(root, f), "w").write("// stub\n")
for f in (
    "sbin/condor_master",
    "sbin/condor_startd",
    "sbin/condor_starter",
    "sbin/condor_procd",
    "sbin/condor_fetchlog",
    "sbin/condor_config_val",
    "bin/condor_config_val",
    "libexec/condor_glexec_wrapper",
    "lib/libstub.so",
):
    p = os.path.join(root, "condor", f)
    open(p, "wb").write(b"#!/bin/sh\nexit 0\n" + os.urandom(200))
    os.chmod(p, 0o755)
fes = "".join(
    '<frontend name="fe%02d_service" identity="fe%02d@fe%02d.example.org"><security_classes><security_class name="frontend" username="fe%02d"/></security_classes></frontend>\n'
    % (i, i, i, i)
    for i in range(nfe)
)
ents = []
for i in range(n):
    ex = "".join(
        '<attr name="GLIDEIN_Extra_%02d" const="True" glidein_publish="True" job_publish="False" parameter="True" publish="True" type="string" value="v_%d_%d"/>\n'
        % (k, i, k)
        for k in range(15)
    )
    pf = "".join(
        '<per_frontend name="fe%02d_service:frontend" glideins="500" held="50" idle="100"/>\n' % k
        for k in range(min(2, nfe))
    )
    ents.append(
        """<entry name="CMS_T2_SITE_%(s)03d_ce%(i)04d" auth_method="grid_proxy" comment="synthetic" enabled="True" gatekeeper="ce%(i)d.site%(s)d.example.org ce%(i)d.site%(s)d.example.org:9619" gridtype="condor" trust_domain="grid" verbosity="std" work_dir="AUTO">
 <config><max_jobs><default_per_frontend glideins="5000" held="50" idle="100"/><per_entry glideins="10000" held="1000" idle="2000"/><per_frontends>%(pf)s</per_frontends></max_jobs>
 <release max_per_cycle="20" sleep="0.2"/><remove max_per_cycle="5" sleep="0.2"/><restrictions require_voms_proxy="False"/>
 <submit cluster_size="10" max_per_cycle="100" sleep="0.2" slots_layout="partitionable"><submit_attrs><submit_attr name="+maxMemory" value="16000"/><submit_attr name="+xcount" value="8"/><submit_attr name="+maxWallTime" value="2880"/></submit_attrs></submit></config>
 <allow_frontends/>
 <attrs>
 <attr name="CONDOR_ARCH" const="True" glidein_publish="False" job_publish="False" parameter="True" publish="False" type="string" value="default"/>
 <attr name="CONDOR_OS" const="True" glidein_publish="False" job_publish="False" parameter="True" publish="False" type="string" value="default"/>
 <attr name="GLIDEIN_Site" const="True" glidein_publish="True" job_publish="True" parameter="True" publish="True" type="string" value="SITE_%(s)03d"/>
 <attr name="GLIDEIN_CMSSite" const="True" glidein_publish="True" job_publish="True" parameter="True" publish="True" type="string" value="T2_SITE_%(s)03d"/>
 <attr name="GLIDEIN_CPUS" const="True" glidein_publish="False" job_publish="True" parameter="True" publish="True" type="string" value="8"/>
 <attr name="GLIDEIN_MaxMemMBs" const="True" glidein_publish="False" job_publish="False" parameter="True" publish="True" type="int" value="16000"/>
 <attr name="GLIDEIN_Max_Walltime" const="True" glidein_publish="False" job_publish="False" parameter="True" publish="True" type="int" value="172800"/>
 <attr name="GLIDEIN_REQUIRED_OS" const="True" glidein_publish="True" job_publish="False" parameter="True" publish="True" type="string" value="rhel8"/>
 <attr name="GLIDEIN_SupportedVOs" const="True" glidein_publish="False" job_publish="False" parameter="True" publish="True" type="string" value="CMS,OSGVO"/>
 <attr name="GLIDEIN_SINGULARITY_REQUIRE" const="True" glidein_publish="True" job_publish="False" parameter="True" publish="True" type="string" value="PREFERRED"/>
 %(ex)s</attrs>
 <files/><infosys_refs/><monitorgroups/></entry>"""
        % dict(i=i, s=i % max(1, n // 5), ex=ex, pf=pf)
    )
xml = """<glidein advertise_delay="5" advertise_with_multiple="True" advertise_with_tcp="True" factory_collector="None" factory_name="perf_factory" factory_versioning="False" glidein_name="v3_10" loop_delay="60" restart_attempts="3" restart_interval="1800" schedd_name="%(sch)s" entry_parallel_workers="0">
<log_retention><condor_logs max_days="14.0" max_mbytes="100.0" min_days="3.0"/><job_logs max_days="7.0" max_mbytes="100.0" min_days="3.0"/><summary_logs max_days="31.0" max_mbytes="100.0" min_days="3.0"/>
<process_logs><process_log extension="info" max_days="7.0" max_mbytes="100.0" min_days="3.0" msg_types="INFO,WARN,ERR"/></process_logs></log_retention>
<monitor base_dir="%(r)s/web/monitor" flot_dir="%(r)s/js/flot" javascriptRRD_dir="%(r)s/js/js" jquery_dir="%(r)s/js/flot" update_thread_count="2"/>
<monitor_footer display_txt="" href_link=""/>
<security key_length="2048" pub_key="RSA" remove_old_cred_age="30" remove_old_cred_freq="24" reuse_oldkey_onstartup_gracetime="900"><frontends>%(fes)s</frontends></security>
<stage base_dir="%(r)s/web/stage" use_symlink="True" web_base_url="http://localhost/factory/stage"/>
<submit base_client_log_dir="%(r)s/log/client" base_client_proxies_dir="%(r)s/client-proxies" base_dir="%(r)s/work-dir" base_log_dir="%(r)s/log/server"/>
<attrs>
<attr name="CONDOR_VERSION" const="False" glidein_publish="False" job_publish="False" parameter="True" publish="True" type="string" value="default"/>
<attr name="USE_CCB" const="True" glidein_publish="True" job_publish="False" parameter="True" publish="True" type="string" value="True"/>
<attr name="USE_MATCH_AUTH" const="True" glidein_publish="False" job_publish="False" parameter="True" publish="True" type="string" value="True"/>
</attrs>
<entries>%(e)s</entries>
<condor_tarballs><condor_tarball arch="default" base_dir="%(r)s/condor" os="default" version="default"/></condor_tarballs>
<files/>
</glidein>
""" % dict(
    r=root,
    fes=fes,
    e="\n".join(ents),
    sch=",".join("schedd_glideins%d@gfactory.example.org" % k for k in range(1, 10)),
)
open(os.path.join(root, "glideinWMS.xml"), "w").write(xml)
print(os.path.join(root, "glideinWMS.xml"), len(xml))
