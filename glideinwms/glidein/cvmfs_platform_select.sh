#!/bin/bash
# Which cvmfsexec distribution fits this node: sets CVMFSEXEC_PLATFORM_<source>-<os>-<arch>, the condition of its tarball.
glidein_config=$1
# shellcheck disable=SC1090
. "$(grep '^ADD_CONFIG_LINE_SOURCE ' "$glidein_config" | cut -d ' ' -f 2-)"
error_gen=$(gconfig_get ERROR_GEN_PATH)
platform=""
if [ "$(gconfig_get GLIDEIN_USE_CVMFSEXEC)" = 1 ]; then
    source_name=$(gconfig_get CVMFS_SRC)
    # shellcheck disable=SC1090,SC1091
    os=$(. "${GLIDEIN_OS_RELEASE:-/etc/os-release}" && echo "$ID ${ID_LIKE:-} $VERSION_ID")
    version=${os##* }
    family=non-rhel
    [[ " $os " =~ \ (rhel|centos|fedora)\  ]] && family=rhel
    [[ " $os " =~ \ (suse|sles|opensuse)\  ]] && family=suse
    platform=${source_name:-osg}-$family${version%%.*}-$(uname -m)
    gconfig_add "CVMFSEXEC_PLATFORM_$platform" 1
    gconfig_add CVMFSEXEC_PLATFORM "$platform"
fi
"$error_gen" -ok cvmfs_platform_select.sh platform "$platform"
