# Sourced before each job; what it sets is in the job's environment: the site's web proxy, and modules unless MODULE_USE or
# +InitializeModulesEnv is 0. +LoadModules names some.
# shellcheck shell=sh

# gwms_job NAME: an attribute of the job's ad, strings without their quotes.
gwms_job() {
    sed -n "s/^$1 *= *\"\{0,1\}\([^\"]*\)\"\{0,1\} *\$/\1/ip" "${_CONDOR_JOB_AD:-/dev/null}" 2> /dev/null | tail -n 1
}

# The shell function `module`: OSG's in CVMFS, and where it is asked for that of the node.
gwms_modules() {
    command -v module > /dev/null 2>&1 && return 0
    for gwms_init in "${CVMFS_MOUNT_DIR:-/cvmfs}/connect.opensciencegrid.org/modules/lmod/current/init/sh" \
        ${1:+"${LMOD_PKG:-/usr/share/lmod/lmod}/init/sh"} ${1:+/usr/share/Modules/init/sh}; do
        # shellcheck disable=SC1090
        [ ! -r "$gwms_init" ] || { . "$gwms_init" && command -v module > /dev/null 2>&1 && return 0; }
    done
    [ -z "$1" ] || echo "There are no modules on this node" >&2
    return 1
}

# gwms_loads MODULE: whether it can be loaded within a minute; tried in a shell that can be ended.
gwms_loads() {
    (module load "$1" > /dev/null 2>&1) &
    gwms_try=$!
    (sleep "${GLIDEIN_MODULE_TIMEOUT:-60}" && kill "$gwms_try") > /dev/null 2>&1 &
    gwms_late=$!
    wait "$gwms_try" 2> /dev/null
    set -- $?
    kill "$gwms_late" 2> /dev/null
    wait "$gwms_late" 2> /dev/null
    return "$1"
}

if [ -n "${OSG_SQUID_LOCATION:-}" ] && [ "${GLIDEIN_Proxy_URL:-None}" = None ]; then
    export GLIDEIN_Proxy_URL="$OSG_SQUID_LOCATION"
fi
gwms_load=$(gwms_job LoadModules)
gwms_wanted=$(gwms_job InitializeModulesEnv)
gwms_wanted=${gwms_wanted:-${MODULE_USE:-}}
case ${GLIDEIN_Client:-}/$gwms_wanted/$gwms_load in
*ligo*/*/ | */0/ | */[Ff]alse/) ;;
*)
    if gwms_modules "$gwms_wanted$gwms_load"; then
        for gwms_module in $(echo "$gwms_load" | tr , ' '); do
            gwms_loads "$gwms_module" && module load "$gwms_module" || echo "module $gwms_module cannot be loaded" >&2
        done
    fi
    ;;
esac
unset gwms_wanted gwms_load gwms_init gwms_module gwms_try gwms_late
