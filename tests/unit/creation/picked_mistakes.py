"""Mistakes picked by hand, each a replacement that is made once in a real-looking file.

They are of kinds that the random mistakes of `mutations` do not make: wrong units, look-alike letters, blanks that
nobody sees, an operator of the other expression language, elements at the wrong place.
"""

from __future__ import annotations

from dataclasses import dataclass

FACTORY, FRONTEND = "factory", "frontend"


@dataclass(frozen=True, slots=True)
class PickedMistake:
    """`before` occurs in the file of `side`; its first occurrence becomes `after`."""

    side: str
    before: str
    after: str


def _of(side: str, *pairs: tuple[str, str]) -> tuple[PickedMistake, ...]:
    return tuple(PickedMistake(side, before, after) for before, after in pairs)


PICKED: tuple[PickedMistake, ...] = (
    *_of(
        FACTORY,
        # units, decimals, dates
        (
            'name="GLIDEIN_MaxMemMBs" type="int" value="20000"',
            'name="GLIDEIN_MaxMemMBs" value="20GB"',
        ),
        ('type="int" value="172800"', 'value="2 days"'),
        ('sleep="0.2"', 'sleep="0,2"'),
        ('max_days="7.0"', 'max_days="7,0"'),
        ('loop_delay="60"', 'loop_delay="60s"'),
        ('loop_delay="60"', 'loop_delay="1m"'),
        ('stale_age idle="604800"', 'stale_age idle="2026-12-24"'),
        ('glideins="10000"', 'glideins="10_000"'),
        ('glideins="10000"', 'glideins="10,000"'),
        ('glideins="10000"', 'glideins="1e4"'),
        ('cluster_size="10"', 'cluster_size="-10"'),
        ('max_per_cycle="25"', 'max_per_cycle="ten"'),
        # truth values in other spellings
        ('enabled="True"', 'enabled="Vrai"'),
        ('enabled="True"', 'enabled="&quot;True&quot;"'),
        ('enabled="True"', 'enabled="enabled"'),
        ('executable="True"', 'executable="x"'),
        ('require_voms_proxy="False"', 'require_voms_proxy="never"'),
        # enumerations
        ('slots_layout="partitionable"', 'slots_layout="Partitionable"'),
        ('value="NEVER"', 'value="Never"'),
        ('verbosity="std"', 'verbosity="STD"'),
        ('gridtype="condor"', 'gridtype="Condor"'),
        ('gridtype="batch slurm"', 'gridtype="slurm"'),
        ('auth_method="scitoken"', 'auth_method="SciToken"'),
        ('type="int"', 'type="integer"'),
        # characters that nobody sees, and look-alikes
        ('entry name="OSG_US_Beta"', 'entry name="OSG_US\u00a0Beta"'),
        ('entry name="OSG_US_Beta"', 'entry name="OSG_US_\u200bBeta"'),
        ('entry name="OSG_US_Beta"', 'entry name="\u041eSG_US_Beta"'),
        ('name="GLIDEIN_Site"', 'name="GLIDEIN_S\u0456te"'),
        ('name="GLIDEIN_Site"', 'name="GLIDEIN_Site\ufeff"'),
        ('value="T2_US_Alpha"', 'value="\u00a0T2_US_Alpha"'),
        ("ce01.alpha.example.edu:9619", "ce01.alpha.example.edu\u200b:9619"),
        ("beta-ce1.example.edu:9619", "beta\u2013ce1.example.edu:9619"),
        ('trust_domain="grid"', 'trust_domain="gr\u0456d"'),
        ('security_class="All"', 'security_class="\u0410ll"'),
        # addresses
        ("ce01.alpha.example.edu:9619", "ce01.alpha.example.edu:0"),
        ("ce01.alpha.example.edu:9619", "ce01.alpha.example.edu:70000"),
        ("ce01.alpha.example.edu:9619", "2001:db8::1:9619"),
        ("gfactory.example.org:9618", "gfactory.example.org:9618/"),
        ('web_base_url="http://gfactory', 'web_base_url="htp://gfactory'),
        ("squid.example.de:3128", "squid.example.de;3128"),
        ('gatekeeper="gamma.example.de"', 'gatekeeper="https:/gamma.example.de"'),
        (
            "beta-ce1.example.edu beta-ce1.example.edu:9619",
            "beta-ce1.example.edu ce01.alpha.example.edu:9619",
        ),
        # paths
        ('base_dir="@DIR@/stage"', 'base_dir="~/stage"'),
        ('base_log_dir="@DIR@/log"', 'base_log_dir="log"'),
        ('absfname="@DIR@/script.sh"', 'absfname="script.sh"'),
        ('absfname="@DIR@/script.sh"', 'absfname="~/script.sh"'),
        ('absfname="@DIR@/script.sh"', 'absfname="@DIR@/script.sh\\"'),
        ('work_dir="Condor"', 'work_dir="~/pilots"'),
        # references and lists
        ('name="cms_frontend:cmspilot"', 'name="cms_frontend:cmspilots"'),
        ('name="cms_frontend:cmspilot"', 'name="cms_frontend.cmspilot"'),
        ('allow_frontend name="cms_frontend"', 'allow_frontend name="CMS_frontend"'),
        ('value="CMS,OSGVO"', 'value="CMS OSGVO"'),
        ("schedd1@gfactory.example.org,schedd2", "schedd1@gfactory.example.org, ,schedd2"),
        ('recoverable_exitcodes="13 2,9"', 'recoverable_exitcodes="13;9"'),
        ('security_class name="cmspilot"', 'security_class name=""'),
        ('frontend name="osg_frontend"', 'frontend name="cms_frontend"'),
        ('username="fecms"', 'username="fe/cms"'),
        # numbers and elements at the wrong place
        (
            'glideins="10000" held="1000" idle="2000"',
            'glideins="10000" held="2000" idle="10000000"',
        ),
        (
            '<per_entry glideins="500" held="50" idle="100"/>',
            '<per_entry glideins="50" held="500" idle="100"/>',
        ),
        ("<config>\n        <max_jobs>", "<max_jobs>"),
        ('loop_delay="60" advertise_delay="5"', 'loop_delay="5" advertise_delay="-1"'),
        ("<stage base_dir", "<Stage base_dir"),
        ('gridtype="arc" trust_domain="OSG"', 'gridtype="arc" trustdomain="OSG"'),
        ('rsl="(queue=long)"', 'rsl="(queue=long"'),
        ('value="&quot;grid&quot;"', 'value="grid & test"'),
        ('value="&quot;grid&quot;"', 'value="&quot;grid"'),
        ('name="+xcount" value="8"', 'name="+xcount" value="8 cores"'),
        ('name="request_cpus" value="4"', 'name="request_cpus" value="4,5"'),
        ('name="+maxMemory" value="20000"', 'name="+maxMemory" value="20GB"'),
        ('factory_name="gfactory_prod"', 'factory_name="gfactory prod"'),
    ),
    *_of(
        FRONTEND,
        # the other expression language
        ("== 5) and (job.get", "== 5) && (job.get"),
        ("== 5) and (job.get", "= 5) and (job.get"),
        ("== 5) and (job.get", "== 5) AND (job.get"),
        ("(TARGET.RequestCpus &lt;= Cpus) &amp;&amp;", "(TARGET.RequestCpus &lt;= Cpus) and"),
        ("(JobUniverse==5)", "(JobUniverse=5)"),
        ("RequestCpus &lt;= 8", "RequestCpus =&lt; 8"),
        ("RequestCpus &lt;= 8", "RequestCpus <= 8"),
        ('"DESIRED_Sites" not in job', '"DESIRED_Sites" not in jobs'),
        ('job["RequestGPUs"] &gt; 0', "true"),
        ('job["RequestGPUs"] &gt; 0', 'job["RequestGPUs"] &gt; "0"'),
        ('job["RequestGPUs"] &gt; 0', "job.RequestGPUs &gt; 0"),
        ('job["RequestGPUs"] &gt; 0', "job[RequestGPUs] &gt; 0"),
        ('job["RequestGPUs"] &gt; 0', 'job["RequestGPUs] &gt; 0'),
        ('job["RequestGPUs"] &gt; 0', '!job["RequestGPUs"]'),
        ('job["RequestGPUs"] &gt; 0', 'job["RequestGPUs"] is not None || True'),
        ('job["RequestGPUs"] &gt; 0', "job[\u201cRequestGPUs\u201d] &gt; 0"),
        ('GLIDEIN_Site =!= "Broken"', "GLIDEIN_Site =!= 'Broken'"),
        ('GLIDEIN_Site =!= "Broken"', 'GLIDEIN_Site != = "Broken"'),
        ('GLIDEIN_Site =!= "Broken"', 'GLIDEIN_Site =!= "Broken'),
        ('start_expr="RequestGPUs &gt; 0"', 'start_expr="RequestGPUs &gt; 0 or True"'),
        ('start_expr="RequestGPUs &gt; 0"', 'start_expr="RequestGPUs \u2265 1"'),
        # addresses and names
        ('node="gfactory.example.org:9618"', 'node="gfactory.example.org:0"'),
        ('node="gfactory.example.org:9618"', 'node="[2001:db8::1]:9618"'),
        ('node="pool.example.org:9620-9640"', 'node="pool.example.org:9640-9620"'),
        ('node="pool.example.org:9620-9640"', 'node="pool.example.org:9620\u20139640"'),
        ('fullname="submit1.example.org"', 'fullname="submit1.example.org "'),
        ('fullname="submit1.example.org"', 'fullname="@submit1.example.org"'),
        ('my_identity="voosg@', 'my_identity="voosg @'),
        ('group name="gpu"', 'group name=""'),
        ('group name="gpu"', 'group name="main"'),
        ('group name="gpu"', 'group name="gp\u0443"'),
        ('security_name="osg_frontend"', 'security_name="osg:frontend"'),
        ('frontend_name="osg_frontend"', 'frontend_name="osg.frontend"'),
        # values
        ('type="scitoken"', 'type="sci-token"'),
        (
            'security_class="frontend" trust_domain="grid"',
            'security_class="frontend" trust_domain="gridd"',
        ),
        ('absfname="@DIR@/ce.scitoken"', 'absfname="~/ce.scitoken"'),
        ('idtoken_lifetime="24"', 'idtoken_lifetime="24h"'),
        ('relative_to_queue="1.15"', 'relative_to_queue="1,15"'),
        ('relative_to_queue="1.15"', 'relative_to_queue="115%"'),
        ('type="NO" wait="0"', 'type="NONE" wait="0"'),
        ('min_memory="2500"', 'min_memory="2.5GB"'),
        ('curb="200" max="1000"', 'curb="1000" max="200"'),
        ('value="PREFERRED"', 'value="Preferred"'),
        ("rhel8:/cvmfs/images/el8,", "rhel8=/cvmfs/images/el8,"),
        (
            'name="GLIDEIN_CLAIM_WORKLIFE" type="int" value="3600"',
            'name="GLIDEIN_CLAIM_WORKLIFE" value="1h"',
        ),
        ('type="expr" value="ifThenElse(', 'type="string" value="ifThenElse('),
        ('secondary="False"', 'secondary="True"'),
        ('<match_attr name="RequestMemory" type="int"/>', ""),
        (
            '<match_attr name="GLIDEIN_MaxMemMBs" type="int"/>',
            '<attr name="GLIDEIN_MaxMemMBs" type="int"/>',
        ),
        ('name="RequestMemory" type="int"', 'name="requestmemory" type="int"'),
    ),
)
