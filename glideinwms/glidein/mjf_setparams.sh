#!/bin/bash
# Publishes what the site says of node and job (machine/job features) as MJF_MACHINE_* and MJF_JOB_*. Runs again while
# jobs run; the prefix MJF_ comes from the list of files.
# shellcheck disable=SC1090,SC2154  # gconfig_get_to sets variables by name

glidein_config=$1
while read -r key path; do [ "$key" = ADD_CONFIG_LINE_SOURCE ] && . "$path" && break; done < "$glidein_config"
gconfig_get_to error_gen ERROR_GEN_PATH
# shellcheck disable=SC2034  # add_condor_vars_line writes there
gconfig_get_to condor_vars_file CONDOR_VARS_FILE

fetch() {
    if command -v curl > /dev/null; then
        curl -q -sf --max-time 20 "$1"
    else
        HOME=/nonexistent WGETRC='' wget -q -T 20 -t 1 -O - "$1"
    fi
}

# names PLACE: the features there; a web server lists them as links.
names() {
    case $1 in
    http://* | https://*) fetch "${1%/}/" | grep -oE 'href="[A-Za-z0-9_]+"' | cut -d '"' -f 2 ;;
    *) timeout -k 5 20 ls -1 "$1" 2> /dev/null ;;
    esac
}

value_of() {
    local value=""
    case $1 in
    http://* | https://*) value=$(fetch "${1%/}/$2") ;;
    *) [ ! -f "$1/$2" ] || read -r value < "$1/$2" || [ -n "$value" ] ;;
    esac
    printf '%s' "$value"
}

publish() {
    local name value
    for name in $(names "$2"); do
        [[ $name =~ ^[A-Za-z0-9_]+$ ]] || continue
        value=$(value_of "$2" "$name")
        [ -n "$value" ] && [[ $value != *[[:cntrl:]]* ]] || continue
        if [ "${GLIDEIN_PERIODIC_SCRIPT:-}" = true ]; then
            value=${value//\\/\\\\}
            printf '%s = "%s"\n' "$1_$name" "${value//\"/\\\"}"
        else
            gconfig_add "MJF_$1_$name" "$value"
            add_condor_vars_line "MJF_$1_$name" S "-" "+" N Y "-"
        fi
    done
}

gconfig_get_to machine_features GLIDEIN_MACHINEFEATURES
gconfig_get_to job_features GLIDEIN_JOBFEATURES
machine_features=${MACHINEFEATURES:-$machine_features}
job_features=${JOBFEATURES:-$job_features}
[ -z "$machine_features" ] || publish MACHINE "$machine_features"
[ -z "$job_features" ] || publish JOB "$job_features"
exec "$error_gen" -ok mjf_setparams.sh machine "${machine_features:-none}" job "${job_features:-none}"
