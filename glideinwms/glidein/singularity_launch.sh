#!/bin/bash
# How jobs' containers are started: by HTCondor, so that condor_ssh_to_job reaches inside, or by the job wrapper.
# GLIDEIN_Container_Launch: native, wrapper or auto. Runs when all wrappers are known.
glidein_config=$1
declare -A cfg=()
while IFS= read -r line || [ -n "$line" ]; do
    key=${line%%[[:blank:]]*}
    [[ -z $key || $key == "#"* ]] || cfg[$key]=${line:${#key}+1}
done < "$glidein_config"
# shellcheck disable=SC1090
. "${cfg[ADD_CONFIG_LINE_SOURCE]}"
error_gen=${cfg[ERROR_GEN_PATH]}
main_dir=${cfg[GLIDEIN_WORK_DIR]}
work_dir=${cfg[GLIDEIN_WORKSPACE_ORIG]}
CVMFS_MOUNT_DIR=${CVMFS_MOUNT_DIR:-${cfg[CVMFS_MOUNT_DIR]:-}}
# shellcheck disable=SC1091
. "$main_dir/singularity_lib.sh"
# shellcheck disable=SC1091
. "$main_dir/singularity_native.source"

# HTCondor tries a runtime with a small image of its own; old tarballs lack it.
condor_can() {
    local dir
    for dir in "${cfg[CONDOR_DIR]}"/libexec/{condor/,}singularity_test_sandbox; do
        [ -d "$dir/proc" ] && [ -d "$dir/dev" ] && return 0
    done
    return 1
}

# The wrapper that starts containers and that deployed Frontends stage calls a library we do not have: ours stands for it.
# Any other one that speaks of containers starts them itself.
sort_wrappers() {
    local file kept=()
    vo_starts=""
    while IFS= read -r file; do
        case ${file##*/} in
        singularity_job_wrapper.sh) continue ;;
        default_singularity_wrapper*.sh)
            [ "$1" = vo ] || echo "Containers: $file is not used, the pilot starts containers itself;" \
                "a changed copy needs another name" >&2
            continue
            ;;
        esac
        kept+=("$file")
        if grep -qiE '(apptainer|singularity).*exec' "$file"; then
            vo_starts=$file
        fi
    done < "${cfg[WRAPPER_LIST]}"
    : > "${cfg[WRAPPER_LIST]}"
    case $1 in native | wrapper) echo "$main_dir/singularity_job_wrapper.sh" >> "${cfg[WRAPPER_LIST]}" ;; esac
    [ ${#kept[@]} = 0 ] || printf '%s\n' "${kept[@]}" >> "${cfg[WRAPPER_LIST]}"
}

decision=${cfg[GWMS_SINGULARITY_STATUS]:-DISABLE}
launch=${cfg[GLIDEIN_Container_Launch]:-auto}
case $decision in
PREFERRED | REQUIRED) ;;
*) launch=none ;;
esac
case $launch in
auto) condor_can && launch=native || launch=wrapper ;;
native | wrapper | none) ;;
*)
    "$error_gen" -error singularity_launch.sh Config "GLIDEIN_Container_Launch $launch is neither native, wrapper nor auto"
    exit 1
    ;;
esac
sort_wrappers "$launch"
if [ -n "$vo_starts" ] && [ "$launch" != none ]; then
    echo "Containers: $vo_starts starts them" >&2
    launch=vo
    sort_wrappers "$launch"
fi
case $launch in
native | wrapper)
    {
        [ "$launch" = wrapper ] || write_native "$decision"
        write_ssh
        [ "$decision" != REQUIRED ] || write_refusals "$launch"
    } > "$work_dir/condor_config.d/00-gwms-containers.conf"
    ;;
vo) [ "$decision" != REQUIRED ] || write_refusals "$launch" > "$work_dir/condor_config.d/00-gwms-containers.conf" ;;
esac
gconfig_add GWMS_CONTAINER_LAUNCH "$launch"
[ -z "$CVMFS_MOUNT_DIR" ] || gconfig_add GWMS_CVMFS_MOUNT_DIR "$CVMFS_MOUNT_DIR"
echo "Containers: started by $launch" >&2
exec "$error_gen" -ok singularity_launch.sh Container_launch "$launch"
