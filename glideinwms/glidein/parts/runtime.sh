# Starting containers: from here to the last line it needs bash. Wrappers that read this file with another shell cut out
# what is between the marks.
# shellcheck shell=bash
[ -n "${BASH_VERSION:-}" ] || return 0 # START bash
# shellcheck disable=SC2154  # setup_classad_variables sets variables by name

# singularity_update_path INSIDE_PWD ARGUMENT...: set the array GWMS_RETURN to the arguments, with paths of the job's
# directory as the container sees them.
singularity_update_path() {
    local inside=$1 argument list outside
    shift
    list=$(singularity_make_outside_pwd_list "${GWMS_SINGULARITY_OUTSIDE_PWD_LIST:-}" \
        "${GWMS_SINGULARITY_OUTSIDE_PWD:-$PWD}" "$PWD" "${GWMS_THIS_SCRIPT_DIR:-}" "${_CONDOR_JOB_IWD:-}" "$(pwd -P)")
    export GWMS_SINGULARITY_OUTSIDE_PWD_LIST=$list
    GWMS_RETURN=()
    for argument; do
        while IFS= read -r -d : outside; do
            case $argument in
            "$outside" | "$outside"/*)
                argument=$inside${argument#"$outside"}
                break
                ;;
            esac
        done <<< "$list:"
        GWMS_RETURN+=("$argument")
    done
}

# singularity_exec BIN IMAGE BINDS "OPTIONS" "GLOBAL OPTIONS" HOW COMMAND...: run a command in a container, with the
# current directory at /srv. HOW: exec (replace the shell), noenv (leave the environment), or both, or empty.
singularity_exec() {
    local bin=$1 image=$2 binds=$3 extra=$4 global=$5 how=${6:-} pid="" place name options
    if [ "$global" = exec ]; then
        warn "singularity_exec was called as before 3.4.6: exec as its fifth argument"
        global="" how=exec
        shift 5
    else
        shift $(($# < 6 ? $# : 6))
    fi
    if [ -z "$bin" ] || [ -z "$image" ] || { [ $# -gt 0 ] && [ -z "$1" ]; }; then
        warn "singularity_exec needs a runtime, an image and a command: '$bin' '$image' '${1:-}'"
        return 1
    fi
    [ "$(_config_value SINGULARITY_DISABLE_PID_NAMESPACES)" = 1 ] || pid=--pid
    # what this node's runtime was found to need
    options=$(_config_value GWMS_CONTAINER_OPTIONS)
    pid=${options:-$pid}
    place=$(_config_value GLIDEIN_LOCAL_TMP_DIR)
    if [ -n "$place" ] && mkdir -p "$place/apptainer/cache" "$place/apptainer/tmp" 2> /dev/null; then
        for name in APPTAINER SINGULARITY; do
            export "${name}_CACHEDIR=$place/apptainer/cache" "${name}_TMPDIR=$place/apptainer/tmp"
        done
    fi
    [[ ,$how, == *,noenv,* ]] || _container_environment
    # shellcheck disable=SC2086
    set -- "$bin" $global exec --home "$PWD:/srv" --pwd /srv --ipc --contain $extra $pid ${binds:+--bind "$binds"} \
        "$image" "$@"
    info_dbg "$*"
    if [[ ,$how, == *,exec,* ]]; then
        exec "$@"
    fi
    "$@"
}

# _container_environment: the environment as GLIDEIN_CONTAINER_ENV says; adds to the variable `extra` of the caller.
_container_environment() {
    local options
    options=$(env_process_options "$(gwms_from_config GLIDEIN_CONTAINER_ENV)")
    extra=$(env_get_singularity_opts "$options" "$extra")
    ! env_gets_cleared "$extra" || env_preserve "$options"
    env_clearlist "${GLIDEIN_CONTAINER_ENV_CLEARLIST:-$(_config_value GLIDEIN_CONTAINER_ENV_CLEARLIST)}"
    env_clear "$options"
}

# singularity_exec_simple BIN IMAGE COMMAND...: the same with the usual binds and options; the exit code is the command's.
singularity_exec_simple() {
    local bin=$1 image=$2 binds
    shift 2
    binds=$(GLIDEIN_QUIET=1 singularity_get_binds e "$(bind_cvmfs),/etc/hosts,/etc/localtime")
    singularity_exec "$bin" "$image" "$binds" "${GLIDEIN_SINGULARITY_OPTS:-}" "${GLIDEIN_SINGULARITY_GLOBAL_OPTS:-}" "" "$@"
}

# singularity_test_exec [IMAGE] [BIN]: start an image; print unprivileged, privileged or fakeroot.
singularity_test_exec() {
    local map first second
    map=$(singularity_exec_simple "${2:-${GWMS_SINGULARITY_PATH_DEFAULT:-}}" "${1:-$(singularity_get_image_default)}" \
        cat /proc/self/uid_map) || return 1
    read -r first second _ <<< "$map"
    case $first/$second in
    0/0) echo privileged ;;
    0/[1-9]*) echo fakeroot ;;
    [1-9]*/[0-9]*) echo unprivileged ;;
    *) return 1 ;;
    esac
}

# singularity_test_bin STEP,PATH [IMAGE] [NAME]: print six lines that begin with `_`: step, mode, version, full version,
# path, and `@ STEP(PATH):T`; 1 and ` STEP(PATH):` if it does not work. PATH is empty for the steps module and PATH.
singularity_test_bin() {
    local step=${1%%,*} bin=${1#*,} full version mode=unknown
    case $step in
    module) module load "${3:-singularity}" > /dev/null 2>&1 && bin=$(type -P "${3:-singularity}") ;;
    PATH) bin=$(type -P "${3:-singularity}") ;;
    esac
    if [ -z "$bin" ] || [ -d "$bin" ] || [ ! -x "$bin" ] || ! full=$("$bin" --version 2> /dev/null || "$bin" version 2> /dev/null); then
        printf ' %s(%s):\n' "$step" "$bin"
        return 1
    fi
    version=${full##* version }
    if [ -n "${2:-}" ] && ! mode=$(singularity_test_exec "$2" "$bin" 2> /dev/null); then
        printf ' %s(%s):TF(%s)\n' "$step" "$bin" "$version"
        return 1
    fi
    printf '_%s\n' "$step" "$mode" "$version" "$full" "$bin" "@ $step($bin):T${2:+T}"
}

# _candidates WHERE: print `STEP,PATH` of each place where a runtime may be, in the order of search.
_candidates() {
    local override dir osg condor
    override=${GLIDEIN_SINGULARITY_BINARY_OVERRIDE:-$(_config_value GLIDEIN_SINGULARITY_BINARY_OVERRIDE)}
    osg=${OSG_SINGULARITY_BINARY:-$(_config_value OSG_SINGULARITY_BINARY)}
    osg=$(cvmfs_resolve_path "${osg:-$OSG_SINGULARITY_BINARY_DEFAULT}")
    condor=$(_config_value CONDOR_DIR)/${CONDOR_APPTAINER_BIN%/*}
    if [ -n "$override" ] && [ ! -d "$override" ] && [[ $override != *:* ]]; then
        echo "OVERRIDE,$override"
    elif [ -n "$override" ]; then
        while IFS= read -r -d : dir; do
            printf 'OVERRIDE,%s\n' "$dir/singularity" "$dir/apptainer"
        done <<< "$override:"
    fi
    case ${1:-OSG} in
    OSG) printf 's_bin_OSG,%s\n' "${osg%/*}/apptainer" "${osg%/*}/singularity" ;;
    CONDOR) printf 's_bin_CONDOR,%s\n' "$condor/apptainer" ;;
    PATH | PASS) ;;
    *) printf 's_bin,%s\n' "$1/apptainer" "$1/singularity" ;;
    esac
    printf 'PATH,%s\n' "$(type -P apptainer)" "$(type -P singularity)"
    printf '%s\n' "CONDOR,$condor/apptainer" module, "OSG,$osg"
}

# singularity_locate_bin [DIRECTORY|OSG|CONDOR|PATH|PASS] [IMAGE]: export HAS_SINGULARITY (True or False), and path, version
# and mode of the first runtime that starts the image.
singularity_locate_bin() {
    local candidate result
    local -a lines
    while IFS= read -r candidate; do
        [ "$candidate" = module, ] || [ -x "${candidate#*,}" ] || continue
        result=$(singularity_test_bin "$candidate" "${2:-}") || continue
        mapfile -t lines <<< "$result"
        export HAS_SINGULARITY=True GWMS_SINGULARITY_PATH="${lines[4]#_}" GWMS_SINGULARITY_VERSION="${lines[2]#_}" \
            GWMS_SINGULARITY_MODE="${lines[1]#_}" GWMS_CONTAINERSW_PATH="${lines[4]#_}" \
            GWMS_CONTAINERSW_VERSION="${lines[2]#_}" GWMS_CONTAINERSW_FULL_VERSION="${lines[3]#_}" \
            GWMS_CONTAINERSW_MODE="${lines[1]#_}"
        return 0
    done < <(_candidates "${1:-}")
    export HAS_SINGULARITY=False
    return 1
}
