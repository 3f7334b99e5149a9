#!/bin/bash
# Chooses among the collectors and CCB servers: groups are separated by `;`, alternatives in a group by `,`.
glidein_config=$1
# shellcheck disable=SC1090
. "$(grep '^ADD_CONFIG_LINE_SOURCE ' "$glidein_config" | cut -d ' ' -f 2-)"
error_gen=$(gconfig_get ERROR_GEN_PATH)

# host:N1-N2 and ...sock=nameN1-N2 are ranges, of which HTCondor picks one.
expand_range() {
    local node=$1
    if [[ $node =~ ^([^?]*:)([0-9]+)-([0-9]+)(.*)$ ]]; then
        node="${BASH_REMATCH[1]}\$RANDOM_INTEGER(${BASH_REMATCH[2]},${BASH_REMATCH[3]})${BASH_REMATCH[4]}"
    elif [[ $node =~ ^(.*[?\&]sock=[A-Za-z0-9_]*[A-Za-z_])([0-9]+)-([0-9]+)(.*)$ ]]; then
        node="${BASH_REMATCH[1]}\$RANDOM_INTEGER(${BASH_REMATCH[2]},${BASH_REMATCH[3]})${BASH_REMATCH[4]}"
    fi
    echo "$node"
}

# One alternative of each group.
choose() {
    local group out="" nodes
    local -a groups
    IFS=';' read -ra groups <<< "$1"
    for group in "${groups[@]}"; do
        IFS=, read -ra nodes <<< "$group"
        [ "${#nodes[@]}" -gt 0 ] || continue
        out+=,$(expand_range "${nodes[RANDOM % ${#nodes[@]}]}")
    done
    echo "${out#,}"
}

# All of a list, for CCB servers: HTCondor shuffles them itself.
every() {
    local node out=""
    for node in ${1//[;,]/ }; do
        out+=,$(expand_range "$node")
    done
    echo "${out#,}"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    wanted=$(gconfig_get GLIDEIN_Collector)
    if [ -z "$wanted" ] || [ "$wanted" = Fake ]; then
        "$error_gen" -error collector_setup.sh Config "the Frontend gave no GLIDEIN_Collector"
        exit 1
    fi
    collector=$(choose "$wanted")
    master=$collector
    factory=$(gconfig_get GLIDEIN_Factory_Collector)
    if [ -n "$factory" ]; then
        factory=$(choose "$factory")
        gconfig_add GLIDEIN_Factory_Collector "$factory"
        master=$collector,$factory
    fi
    gconfig_add GLIDEIN_Collector "$collector"
    gconfig_add GLIDEIN_Master_Collector "$master"
    ccb=$(gconfig_get GLIDEIN_CCB)
    [ -z "$ccb" ] || gconfig_add GLIDEIN_CCB "$(every "$ccb")"
    "$error_gen" -ok collector_setup.sh Collector "$collector" MasterCollector "$master"
fi
