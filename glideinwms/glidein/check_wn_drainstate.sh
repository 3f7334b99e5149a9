#!/bin/bash
# Whether the site takes this node or job away soon (machine/job features): tells the slots, so that no job starts on a
# node that drains, and jobs are stopped in time. Runs again while jobs run.
glidein_config=$1
# shellcheck disable=SC1090
. "$(grep '^ADD_CONFIG_LINE_SOURCE ' "$glidein_config" | cut -d ' ' -f 2-)"
error_gen=$(gconfig_get ERROR_GEN_PATH)
work_dir=$(gconfig_get GLIDEIN_WORKSPACE_ORIG)
preempt_margin=1800

# feature PLACE NAME: the value, from a directory or an http(s) URL; empty where there is none.
feature() {
    local value=""
    case $1 in
    "") return 0 ;;
    http://* | https://*)
        if command -v curl > /dev/null; then
            value=$(curl -sf --max-time 20 "${1%/}/$2")
        else
            value=$(wget -q -T 20 -t 1 -O - "${1%/}/$2")
        fi
        ;;
    *) [ ! -r "$1/$2" ] || read -r value < "$1/$2" || [ -n "$value" ] ;;
    esac
    printf '%s' "$value"
}

say() {
    echo "$(date) check_wn_drainstate: $*" >> "$work_dir/exit_message"
}

# HTCondor's environment is cleaned: setup keeps what the batch system said.
job_features=${JOBFEATURES:-$(gconfig_get GLIDEIN_JOBFEATURES)}
machine_features=${MACHINEFEATURES:-$(gconfig_get GLIDEIN_MACHINEFEATURES)}
if [ "${GLIDEIN_PERIODIC_SCRIPT:-}" != true ]; then
    gconfig_add GLIDEIN_JOBFEATURES "$job_features"
    gconfig_add GLIDEIN_MACHINEFEATURES "$machine_features"
fi
soonest=""
for place in "$job_features shutdowntime_job" "$machine_features shutdowntime"; do
    value=$(feature "${place% *}" "${place##* }")
    [ -n "$value" ] || continue
    if [[ ! $value =~ ^[0-9]{1,15}$ ]]; then
        "$error_gen" -error check_wn_drainstate.sh WN_Resource "${place##* } '$value' is not a time"
        exit 1
    fi
    [ -n "$soonest" ] && [ "$soonest" -le "$value" ] || soonest=$value
done
draining=False preempt=False
if [ -n "$soonest" ]; then
    printf -v now '%(%s)T' -1
    left=$((soonest - now))
    die=$(gconfig_get GLIDEIN_ToDie) retire=$(gconfig_get GLIDEIN_ToRetire)
    tail=$((${die:-0} - ${retire:-0}))
    if [ "$left" -lt "$tail" ] || [ "$left" -lt "$preempt_margin" ]; then
        draining=True
        say "the node shuts down in $left s: no more jobs"
    fi
    if [ "$left" -lt "$preempt_margin" ]; then
        preempt=True
        say "the node shuts down in $left s: jobs are stopped"
    fi
fi
add_config_line_safe SiteWMS_WN_Draining "$draining"
add_config_line_safe SiteWMS_WN_Preempt "$preempt"
if [ "${GLIDEIN_PERIODIC_SCRIPT:-}" = true ]; then
    printf '%s\n' "SiteWMS_WN_Draining = $draining" "SiteWMS_WN_Preempt = $preempt"
fi
"$error_gen" -ok check_wn_drainstate.sh draining "$draining" preempt "$preempt"
