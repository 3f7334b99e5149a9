# Sourced before each job. What it sets is in the job's environment.
# shellcheck shell=sh
if [ -n "${OSG_SQUID_LOCATION:-}" ] && [ "${GLIDEIN_Proxy_URL:-None}" = None ]; then
    export GLIDEIN_Proxy_URL="$OSG_SQUID_LOCATION"
fi
