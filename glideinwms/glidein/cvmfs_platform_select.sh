#!/bin/bash
# Which cvmfsexec distribution fits this node: sets CVMFSEXEC_PLATFORM_<source>-<os>-<arch>, the condition of its tarball.
# shellcheck disable=SC2154  # gconfig_get_to sets variables
glidein_config=$1
# shellcheck disable=SC1090  # a path of glidein_config
while read -r key path; do [ "$key" = ADD_CONFIG_LINE_SOURCE ] && . "$path" && break; done < "$glidein_config"
gconfig_get_to error_gen ERROR_GEN_PATH
platform=""
gconfig_get_to use GLIDEIN_USE_CVMFSEXEC
if [ "$use" = 1 ]; then
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
exec "$error_gen" -ok cvmfs_platform_select.sh platform "$platform"
