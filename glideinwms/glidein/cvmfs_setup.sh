#!/bin/bash
# CVMFS where the site has none and the entry asks for it (GLIDEIN_USE_CVMFSEXEC), by a cvmfsexec distribution
# (contract 5). GLIDEIN_CVMFS says what a failure means: required, preferred, optional, never, in any case.
# shellcheck disable=SC2154  # gconfig_get_to sets variables
glidein_config=$1
# shellcheck disable=SC1090  # a path of glidein_config
while read -r key path; do [ "$key" = ADD_CONFIG_LINE_SOURCE ] && . "$path" && break; done < "$glidein_config"
gconfig_get_to error_gen ERROR_GEN_PATH
# shellcheck disable=SC2034  # add_condor_vars_line reads it
gconfig_get_to condor_vars_file CONDOR_VARS_FILE
gconfig_get_to main_dir GLIDEIN_WORK_DIR
# shellcheck disable=SC1091
. "$main_dir/cvmfs_lib.sh"
gconfig_get_to root CVMFS_MOUNT_DIR
root=${CVMFS_MOUNT_DIR:-${root:-/cvmfs}}
root=${root%/}
mounted=()

done_with() {
    gconfig_add GLIDEIN_CVMFS_STATUS "$1"
    exec "$error_gen" -ok cvmfs_setup.sh Cvmfs_status "$1" Cvmfs_reason "${2:-}"
}

release_all() {
    local n
    for ((n = ${#mounted[@]} - 1; n >= 0; n--)); do
        release_mount "${mounted[n]}"
    done
    gconfig_add GLIDEIN_CVMFS_MOUNTED ""
}

# A failure: half of the repositories are as good as none.
failed() {
    echo "CVMFS: $2" >&2
    release_all
    if [ "$policy" = required ]; then
        "$error_gen" -error cvmfs_setup.sh "$1" "$2" Cvmfs_policy "$policy"
        exit 1
    fi
    done_with absent "$2"
}

# mount_repo REPO: by the distribution; sets the place it is mounted at.
mount_repo() {
    timeout "${GLIDEIN_CVMFS_TIMEOUT:-120}" "$distribution/mountrepo" "$1" < /dev/null >&2 ||
        failed WN_Resource "mountrepo $1 failed"
    place=$(mount_of "$1")
    [ -n "$place" ] || failed WN_Resource "mountrepo $1 mounted nothing"
    mounted+=("$place")
    gconfig_add GLIDEIN_CVMFS_MOUNTED "$(
        IFS=:
        echo "${mounted[*]}"
    )"
    timeout 60 ls "$place" > /dev/null || failed Network "$1 is mounted at $place but cannot be read"
}

namespaces=$(user_namespaces)
gconfig_add HAS_UNPRIVILEGED_USER_NAMESPACES "$namespaces"
add_condor_vars_line HAS_UNPRIVILEGED_USER_NAMESPACES S - + N Y +
gconfig_get_to wanted GLIDEIN_CVMFS
if ! policy=$(cvmfs_policy "$wanted"); then
    "$error_gen" -error cvmfs_setup.sh Config \
        "GLIDEIN_CVMFS $wanted is none of required, preferred, optional, never"
    exit 1
fi
cvmfs_is_there "$root" && done_with native "$root"
gconfig_get_to use GLIDEIN_USE_CVMFSEXEC
[ "$use" = 1 ] || done_with absent "not asked for"
gconfig_get_to wanted GLIDEIN_CVMFS_MODE
mode=$(cvmfs_mode "$wanted" "$namespaces") || {
    "$error_gen" -error cvmfs_setup.sh Config "GLIDEIN_CVMFS_MODE $wanted is none of auto, 1, 2, 3"
    exit 1
}
missing=$(fuse_missing "$mode" "$namespaces")
echo "CVMFS: mode $mode, user namespaces $namespaces, fuse ${missing:-there}, policy $policy" >&2
[ "$policy" != never ] || done_with absent "GLIDEIN_CVMFS is never; fuse: ${missing:-there}"
[ -z "$missing" ] || failed WN_Resource "$missing"
distribution=$(gconfig_get CVMFSEXEC_DIR)
program=$distribution/cvmfsexec
[ "$mode" != 1 ] || program=$distribution/mountrepo
[ -x "$program" ] || failed Config "no cvmfsexec distribution came for this node (CVMFSEXEC_DIR ${distribution:-is not set})"
source_name=$(gconfig_get CVMFS_SRC)
repos=$(cvmfs_repos "${source_name:-osg}" "$(gconfig_get GLIDEIN_CVMFS_REPOS)") ||
    failed Config "CVMFS_SRC $source_name is none of osg, egi, default"
if [ "$mode" != 1 ]; then
    # the pilot itself goes there, when this script has ended
    gconfig_add GLIDEIN_CVMFS_EXEC "$program"
    gconfig_add GLIDEIN_CVMFS_EXEC_REPOS "${repos//$'\n'/ }"
    done_with namespace /cvmfs
fi
for repo in $repos; do
    mount_repo "$repo"
done
[ "${place%/*}" = /cvmfs ] || gconfig_add CVMFS_MOUNT_DIR "${place%/*}"
done_with mounted "${place%/*}"
