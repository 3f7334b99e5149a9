#!/bin/bash
# At the pilot's end: what cvmfs_setup.sh has mounted is unmounted, and only that.
glidein_config=$1
# shellcheck disable=SC1090  # a path of glidein_config
while read -r key path; do [ "$key" = ADD_CONFIG_LINE_SOURCE ] && . "$path" && break; done < "$glidein_config"
gconfig_get_to ours GLIDEIN_CVMFS_MOUNTED
# shellcheck disable=SC2154  # gconfig_get_to sets it
[ -n "$ours" ] || exit 0
# shellcheck disable=SC1091
. "$(gconfig_get GLIDEIN_WORK_DIR)/cvmfs_lib.sh"
distribution=$(gconfig_get CVMFSEXEC_DIR)
[ ! -x "$distribution/umountrepo" ] || timeout 60 "$distribution/umountrepo" -a < /dev/null >&2
IFS=: read -ra places <<< "$ours"
status=0
for ((n = ${#places[@]} - 1; n >= 0; n--)); do
    if fuse_mounts | grep -qxF "${places[n]}" && ! release_mount "${places[n]}"; then
        echo "CVMFS: ${places[n]} cannot be unmounted" >&2
        status=1
    fi
done
gconfig_add GLIDEIN_CVMFS_MOUNTED ""
exit "$status"
