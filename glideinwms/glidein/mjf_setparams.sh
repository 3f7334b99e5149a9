#!/bin/bash
# Publishes what the site says of node and job (machine/job features) as MJF_MACHINE_* and MJF_JOB_*. Runs again while
# jobs run; the prefix MJF_ comes from the list of files.
glidein_config=$1
# shellcheck disable=SC1090
. "$(grep '^ADD_CONFIG_LINE_SOURCE ' "$glidein_config" | cut -d ' ' -f 2-)"
error_gen=$(gconfig_get ERROR_GEN_PATH)
# shellcheck disable=SC2034  # add_condor_vars_line writes there
condor_vars_file=$(gconfig_get CONDOR_VARS_FILE)

fetch() {
    if command -v curl > /dev/null; then
        curl -sf --max-time 20 "$1"
    else
        wget -q -T 20 -t 1 -O - "$1"
    fi
}

# names PLACE: the features there; a web server lists them as links.
names() {
    case $1 in
    http://* | https://*) fetch "${1%/}/" | grep -oE 'href="[A-Za-z0-9_]+"' | cut -d '"' -f 2 ;;
    *) ls -1 "$1" 2> /dev/null ;;
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

machine_features=${MACHINEFEATURES:-$(gconfig_get GLIDEIN_MACHINEFEATURES)}
job_features=${JOBFEATURES:-$(gconfig_get GLIDEIN_JOBFEATURES)}
[ -z "$machine_features" ] || publish MACHINE "$machine_features"
[ -z "$job_features" ] || publish JOB "$job_features"
"$error_gen" -ok mjf_setparams.sh machine "${machine_features:-none}" job "${job_features:-none}"
