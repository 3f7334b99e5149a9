#!/bin/bash
# Which of the HTCondor tarballs that the Factory offers fits this node: sets its CONDOR_PLATFORM_... to 1.
glidein_config=$1
# shellcheck disable=SC1090
. "$(grep '^ADD_CONFIG_LINE_SOURCE ' "$glidein_config" | cut -d ' ' -f 2-)"
error_gen=$(gconfig_get ERROR_GEN_PATH)

# shellcheck disable=SC2329  # choices calls them by name
node_os() {
    local id="" version=""
    if [ -r /etc/os-release ]; then
        id=$(. /etc/os-release && echo "${ID:-}")
        version=$(. /etc/os-release && echo "${VERSION_ID%%.*}")
    fi
    case $id in
    rhel | centos | almalinux | rocky | scientific | ol) echo "rhel$version" ;;
    *) echo "$id$version" ;;
    esac
}

# shellcheck disable=SC2329
node_arch() {
    case $(uname -m) in
    x86_64) echo x86_64,x86 ;;
    i?86) echo x86 ;;
    *) uname -m ;;
    esac
}

# A comma separated list, with auto replaced by what the node is; default always comes last.
choices() {
    local list
    list=$(gconfig_get "$1")
    list=${list:-default}
    [ "$list" = auto ] && list=$($2),default
    echo "${list//,/ }"
}

for version in $(choices CONDOR_VERSION echo); do
    for os in $(choices CONDOR_OS node_os); do
        for arch in $(choices CONDOR_ARCH node_arch); do
            platform=$version-$os-$arch
            if [ -n "$(gconfig_get "CONDOR_PLATFORM_$platform")" ]; then
                gconfig_add "CONDOR_PLATFORM_$platform" 1
                "$error_gen" -ok condor_platform_select.sh Condor_platform "$platform"
                exit 0
            fi
        done
    done
done
offered=$(grep -o '^CONDOR_PLATFORM_[^ ]*' "$glidein_config" | sed 's/CONDOR_PLATFORM_//' | tr '\n' ' ')
"$error_gen" -error condor_platform_select.sh Config \
    "no HTCondor for version $(gconfig_get CONDOR_VERSION), os $(gconfig_get CONDOR_OS), arch $(gconfig_get CONDOR_ARCH); offered: $offered"
exit 1
