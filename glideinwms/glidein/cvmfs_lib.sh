# CVMFS on the node: whether it is there, which repositories are wanted, what is mounted. Sourced.
# shellcheck shell=bash

CVMFS_PROBE=oasis.opensciencegrid.org

# cvmfs_is_there ROOT: the site mounts CVMFS itself.
cvmfs_is_there() {
    # one that hangs is none
    [ -n "$(exec timeout -k 5 60 ls -A "$1/$CVMFS_PROBE" 2> /dev/null)" ]
}

# cvmfs_policy TEXT: required, preferred, optional or never, whatever the case; 1 for anything else.
cvmfs_policy() {
    local policy=${1:-required}
    policy=${policy,,}
    case $policy in
    required | preferred | optional | never) echo "$policy" ;;
    *) return 1 ;;
    esac
}

# cvmfs_repos SOURCE EXTRA: repositories in the order of mounting, the configuration's own first, each once.
cvmfs_repos() {
    local config repo seen=" " all
    case $1 in
    osg) config="config-osg.opensciencegrid.org" ;;
    egi) config="config-egi.egi.eu" ;;
    default) config="cvmfs-config.cern.ch" ;;
    *) return 1 ;;
    esac
    all="$config singularity.opensciencegrid.org cms.cern.ch"
    [ "$1" = osg ] || all+=" config-osg.opensciencegrid.org"
    for repo in $all ${2//:/ }; do
        [[ $seen == *" $repo "* ]] && continue
        seen+="$repo "
        echo "$repo"
    done
}

# fuse_mounts: mount points of FUSE file systems, the last one last.
fuse_mounts() {
    local target kind
    while read -r _ target kind _; do
        [[ $kind == fuse* ]] && printf '%b\n' "$target"
    done < "${CVMFS_MOUNTS:-/proc/mounts}"
    return 0
}

# mount_of REPO: where it is mounted, if it is.
mount_of() {
    fuse_mounts | grep -E "/${1//./\\.}\$" | tail -n 1
}

# user_namespaces: enabled, disabled, unavailable or error.
user_namespaces() {
    local most=${CVMFS_MAX_NAMESPACES:-/proc/sys/user/max_user_namespaces} number
    if [ ! -e "$most" ]; then
        echo unavailable
    elif ! read -r number < "$most" || [[ ! $number =~ ^[0-9]+$ ]]; then
        echo error
    elif [ "$number" -gt 0 ] && timeout -k 5 20 unshare -U true > /dev/null 2>&1; then
        echo enabled
    else
        echo disabled
    fi
}

has_fusermount() {
    timeout -k 5 20 fusermount3 -V > /dev/null 2>&1 || timeout -k 5 20 fusermount -V > /dev/null 2>&1
}

# cvmfs_mode WANTED NAMESPACES: 1 mounts for all processes (mountrepo); 2 and 3 are cvmfsexec, which mounts in namespaces of
# its own, with fusermount and without. 1 for anything else.
cvmfs_mode() {
    case ${1:-auto} in
    1 | 2 | 3) echo "$1" ;;
    auto)
        if [ "$(id -u)" = 0 ] || has_fusermount || [ "$2" != enabled ]; then
            echo 1
        else
            echo 3
        fi
        ;;
    *) return 1 ;;
    esac
}

# fuse_missing MODE NAMESPACES: what an ordinary user lacks for FUSE mounts in that way; nothing when all is there.
fuse_missing() {
    [ -w "${CVMFS_FUSE_DEVICE:-/dev/fuse}" ] || echo "/dev/fuse is not there or not writable"
    [ "$1" = 3 ] || [ "$(id -u)" = 0 ] || has_fusermount || echo "neither fusermount3 nor fusermount runs"
    [ "$1" = 1 ] || [ "$2" = enabled ] || echo "user namespaces are $2"
}

# release_mount DIR: unmount it; one that is in use goes when its last user does.
release_mount() {
    local tool
    for tool in "fusermount3 -u" "fusermount -u" umount "fusermount3 -uz" "fusermount -uz" "umount -l"; do
        # shellcheck disable=SC2086
        timeout -k 5 30 $tool "$1" > /dev/null 2>&1
        fuse_mounts | grep -qxF "$1" || return 0
    done
    return 1
}
