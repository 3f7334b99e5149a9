#!/bin/bash
# Which of the HTCondor tarballs that the Factory offers fits this node: sets its CONDOR_PLATFORM_... to 1.
# shellcheck disable=SC1090,SC2154,SC2329  # choices calls by name, gconfig_get_to sets variables by name

glidein_config=$1
while read -r key path; do [ "$key" = ADD_CONFIG_LINE_SOURCE ] && . "$path" && break; done < "$glidein_config"
gconfig_get_to error_gen ERROR_GEN_PATH

node_os() {
    local key value id="" version=""
    while IFS='=' read -r key value; do
        value=${value//\"/}
        case $key in
        ID) id=$value ;;
        VERSION_ID) version=${value%%.*} ;;
        esac
    done < /etc/os-release
    case $id in
    rhel | centos | almalinux | rocky | scientific | ol) auto=rhel$version ;;
    *) auto=$id$version ;;
    esac
}

node_arch() {
    read -r auto < <(exec uname -m)
    case $auto in
    x86_64) auto=x86_64,x86 ;;
    i?86) auto=x86 ;;
    esac
}

# choices KEY FUNCTION: `chosen`, a comma separated list, where auto is what the node is; default is always there.
choices() {
    local auto=""
    gconfig_get_to chosen "$1"
    if [ "$chosen" = auto ]; then
        "$2" 2> /dev/null
        chosen=$auto,default
    fi
    chosen=${chosen:-default}
    chosen=${chosen//,/ }
}

choices CONDOR_VERSION true
versions=$chosen
choices CONDOR_OS node_os
systems=$chosen
choices CONDOR_ARCH node_arch
for version in $versions; do
    for os in $systems; do
        for arch in $chosen; do
            platform=$version-$os-$arch
            gconfig_get_to found "CONDOR_PLATFORM_$platform"
            if [ -n "$found" ]; then
                gconfig_add "CONDOR_PLATFORM_$platform" 1
                exec "$error_gen" -ok condor_platform_select.sh Condor_platform "$platform"
            fi
        done
    done
done
offered=""
while read -r key _; do
    [[ $key != CONDOR_PLATFORM_* ]] || offered+=" ${key#CONDOR_PLATFORM_}"
done < "$glidein_config"
"$error_gen" -error condor_platform_select.sh Config \
    "no HTCondor for version $versions, os $systems, arch $chosen; offered:$offered"
exit 1
