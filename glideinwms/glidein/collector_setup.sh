#!/bin/bash
# Chooses among the collectors and CCB servers: groups are separated by `;`, alternatives in a group by `,`.
# shellcheck disable=SC1090,SC2154  # gconfig_get_to sets variables by name

glidein_config=$1
while read -r key path; do [ "$key" = ADD_CONFIG_LINE_SOURCE ] && . "$path" && break; done < "$glidein_config"
gconfig_get_to error_gen ERROR_GEN_PATH

# `expanded`: host:N1-N2 and ...sock=nameN1-N2 are ranges, of which HTCondor picks one.
expand_range() {
    local node=$1
    if [[ $node =~ ^([^?]*:)([0-9]+)-([0-9]+)(.*)$ ]]; then
        node="${BASH_REMATCH[1]}\$RANDOM_INTEGER(${BASH_REMATCH[2]},${BASH_REMATCH[3]})${BASH_REMATCH[4]}"
    elif [[ $node =~ ^(.*[?\&]sock=[A-Za-z0-9_]*[A-Za-z_])([0-9]+)-([0-9]+)(.*)$ ]]; then
        node="${BASH_REMATCH[1]}\$RANDOM_INTEGER(${BASH_REMATCH[2]},${BASH_REMATCH[3]})${BASH_REMATCH[4]}"
    fi
    expanded=$node
}

# `chosen`: one alternative of each group.
choose() {
    local group out="" nodes
    local -a groups
    IFS=';' read -ra groups <<< "$1"
    for group in "${groups[@]}"; do
        IFS=, read -ra nodes <<< "$group"
        [ "${#nodes[@]}" -gt 0 ] || continue
        expand_range "${nodes[RANDOM % ${#nodes[@]}]}"
        out+=,$expanded
    done
    chosen=${out#,}
}

# `chosen`: all of a list, for CCB servers: HTCondor shuffles them itself.
every() {
    local node out=""
    for node in ${1//[;,]/ }; do
        expand_range "$node"
        out+=,$expanded
    done
    chosen=${out#,}
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    gconfig_get_to wanted GLIDEIN_Collector
    if [ -z "$wanted" ] || [ "$wanted" = Fake ]; then
        "$error_gen" -error collector_setup.sh Config "the Frontend gave no GLIDEIN_Collector"
        exit 1
    fi
    choose "$wanted"
    collector=$chosen
    master=$collector
    gconfig_get_to factory GLIDEIN_Factory_Collector
    if [ -n "$factory" ]; then
        choose "$factory"
        gconfig_add GLIDEIN_Factory_Collector "$chosen"
        master=$collector,$chosen
    fi
    gconfig_add GLIDEIN_Collector "$collector"
    gconfig_add GLIDEIN_Master_Collector "$master"
    gconfig_get_to ccb GLIDEIN_CCB
    if [ -n "$ccb" ]; then
        every "$ccb"
        gconfig_add GLIDEIN_CCB "$chosen"
    fi
    exec "$error_gen" -ok collector_setup.sh Collector "$collector" MasterCollector "$master"
fi
