# What the container sees of the node: binds, and the names of the job's directory.
# shellcheck shell=dash

# shellcheck disable=SC2034  # users of this file read it
GWMS_BINDS_DEFAULT=/hadoop,/ceph,/hdfs,/lizard,/mnt/hadoop,/mnt/hdfs,/etc/hosts,/etc/localtime

# binds_of LIST...: `src[:dst[:opt]]` joined by commas, earlier lists first; sources that do not exist and
# destinations that are taken are left out.
binds_of() {
    local list rest one source target out="" taken=,
    for list; do
        rest="$list,"
        while [ -n "$rest" ]; do
            one=${rest%%,*}
            rest=${rest#*,}
            source=${one%%:*}
            [ -n "$source" ] && [ -e "$source" ] || continue
            case $one in
            *:*)
                target=${one#*:}
                target=${target%%:*}
                ;;
            *) target=$source ;;
            esac
            case $taken in
            *,"$target",*) continue ;;
            esac
            taken=$taken$target,
            out=$out,$one
        done
    done
    printf '%s\n' "${out#,}"
}

# The container's own view of CVMFS.
bind_cvmfs() {
    case ${CVMFS_MOUNT_DIR:-/cvmfs} in
    /cvmfs | /cvmfs/) [ -d /cvmfs ] && echo /cvmfs ;;
    *) echo "${CVMFS_MOUNT_DIR%/}:/cvmfs" ;;
    esac
}

# path_inside PATH ALIASES: a path at or below one of the colon-separated names of the job's directory, as the
# container sees it; anything else as it is.
path_inside() {
    local rest="$2:" outside
    while [ -n "$rest" ]; do
        outside=${rest%%:*}
        rest=${rest#*:}
        [ -n "$outside" ] || continue
        case $1 in
        "$outside" | "$outside"/*)
            printf '%s\n' "$GWMS_JOB_HOME${1#"$outside"}"
            return 0
            ;;
        esac
    done
    printf '%s\n' "$1"
}

# Names of the job's directory outside: as it is called, as it really is, as HTCondor calls it.
outside_aliases() {
    local out=:$PWD:
    for one in "$(pwd -P)" "${_CONDOR_SCRATCH_DIR:-}" "${_CONDOR_JOB_IWD:-}" "${OSG_WN_TMP:-}"; do
        case $out in
        *:"$one":*) ;;
        *) [ -n "$one" ] && [ "$one" -ef "$PWD" ] && out=$out$one: ;;
        esac
    done
    out=${out#:}
    printf '%s\n' "${out%:}"
}

# singularity_check_paths CHECKS SOURCE [DESTINATION[:OPTIONS]]: print `SOURCE[:DESTINATION],` if every check holds, else 1.
# Checks: e it exists, c it is in CVMFS, d the destination exists, v check the destination in place of the source.
singularity_check_paths() {
    local path="$2" target="${3:-}"
    target=${target%%:*}
    case $1 in *v*) path=${target:-$path} ;; esac
    case $1 in *e*) [ -e "$path" ] || _unbound "$path does not exist" || return 1 ;; esac
    case $1 in *c*) cvmfs_path_in_cvmfs "$path" || _unbound "$path is not in CVMFS" || return 1 ;; esac
    case $1 in *d*) [ -e "$target" ] || _unbound "$target does not exist" || return 1 ;; esac
    printf '%s' "$2${3:+:$3},"
}

_unbound() {
    info "Not bound: $1"
    return 1
}

# singularity_get_binds CHECKS [DEFAULTS] [OVERRIDES]: print the binds that pass the checks: OVERRIDES, those of
# GLIDEIN_SINGULARITY_BINDPATH and GLIDEIN_SINGULARITY_BINDPATH_DEFAULT, then DEFAULTS. 1 if none does.
singularity_get_binds() {
    local rest bind out=""
    rest="${3:-},${GLIDEIN_SINGULARITY_BINDPATH:-},${GLIDEIN_SINGULARITY_BINDPATH_DEFAULT:-},${2:-},"
    while [ -n "$rest" ]; do
        bind=${rest%%,*}
        rest=${rest#*,}
        case $bind in
        "") ;;
        *:*) out=$out$(singularity_check_paths "$1" "${bind%%:*}" "${bind#*:}") ;;
        *) out=$out$(singularity_check_paths "$1" "$bind") ;;
        esac
    done
    [ -n "$out" ] && printf '%s\n' "${out%,}"
}

# singularity_make_outside_pwd_list LIST PATH...: print the colon-separated LIST with those paths that are the same
# directory as its first one.
singularity_make_outside_pwd_list() {
    local out="${1#:}" first path
    shift
    for path; do
        [ -n "$path" ] || continue
        [ -n "$out" ] || out=$path
        first=${out%%:*}
        case :$out: in
        *:"$path":*) ;;
        *) [ "$(robust_realpath "$path")" != "$(robust_realpath "$first")" ] || out=$out:$path ;;
        esac
    done
    printf '%s\n' "$out"
}
