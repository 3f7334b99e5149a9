#!/bin/bash
# Whether the site takes this node or job away soon (machine/job features): tells the slots, so that no job starts on a
# node that drains, and jobs are stopped in time. Runs again while jobs run.
# shellcheck disable=SC1090,SC2154  # gconfig_get_to sets variables by name

glidein_config=$1
while read -r key path; do [ "$key" = ADD_CONFIG_LINE_SOURCE ] && . "$path" && break; done < "$glidein_config"
gconfig_get_to error_gen ERROR_GEN_PATH
gconfig_get_to work_dir GLIDEIN_WORKSPACE_ORIG
preempt_margin=1800

# feature PLACE NAME: the value, from a directory or an http(s) URL; empty where there is none.
feature() {
    local value=""
    case $1 in
    "") return 0 ;;
    http://* | https://*)
        if command -v curl > /dev/null; then
            value=$(curl -q -sf --max-time 20 "${1%/}/$2")
        else
            value=$(HOME=/nonexistent WGETRC='' wget -q -T 20 -t 1 -O - "${1%/}/$2")
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
gconfig_get_to job_features GLIDEIN_JOBFEATURES
gconfig_get_to machine_features GLIDEIN_MACHINEFEATURES
job_features=${JOBFEATURES:-$job_features}
machine_features=${MACHINEFEATURES:-$machine_features}
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
    gconfig_get_to die GLIDEIN_ToDie
    gconfig_get_to retire GLIDEIN_ToRetire
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
if [ "${GLIDEIN_PERIODIC_SCRIPT:-}" != true ]; then
    gconfig_add SiteWMS_WN_Draining "$draining"
    gconfig_add SiteWMS_WN_Preempt "$preempt"
else
    gconfig_add_safe SiteWMS_WN_Draining "$draining"
    gconfig_add_safe SiteWMS_WN_Preempt "$preempt"
    printf '%s\n' "SiteWMS_WN_Draining = $draining" "SiteWMS_WN_Preempt = $preempt"
fi
exec "$error_gen" -ok check_wn_drainstate.sh draining "$draining" preempt "$preempt"
