# A job wrapper, or a script, puts itself into a container.
# shellcheck shell=bash
# shellcheck disable=SC2154  # setup_classad_variables sets variables by name

# _choose_image: set GWMS_SINGULARITY_IMAGE to the job's own, or to that of the first platform that job and site agree on;
# msg is what is wrong.
_choose_image() {
    local code=0 restrictions=${GWMS_SINGULARITY_IMAGE_RESTRICTIONS:-}
    if [ -n "${GWMS_SINGULARITY_IMAGE:-}" ]; then
        msg="the job's image cannot be used: $GWMS_SINGULARITY_IMAGE"
        case ,$restrictions, in
        *,remote,* | *,any,*) is_uri "$GWMS_SINGULARITY_IMAGE" && return 0 ;;
        esac
        image_check "$GWMS_SINGULARITY_IMAGE" "${restrictions:+none}" && ! is_uri "$GWMS_SINGULARITY_IMAGE"
        return
    fi
    if ! DESIRED_OS=$(platforms_of "${REQUIRED_OS:-}" "${GLIDEIN_REQUIRED_OS:-}"); then
        msg="REQUIRED_OS ${REQUIRED_OS:-} of the job and ${GLIDEIN_REQUIRED_OS:-} of the site have nothing in common"
        return 1
    fi
    [ "$DESIRED_OS" != any ] || DESIRED_OS=default,rhel9,rhel8,rhel7,rhel6,any
    : "${SINGULARITY_IMAGES_DICT:=${GWMS_SINGULARITY_IMAGES_DICT:-}}"
    GWMS_SINGULARITY_IMAGE=$(singularity_get_image "$DESIRED_OS" "$restrictions") || code=$?
    msg="no usable image for $DESIRED_OS: '${GWMS_SINGULARITY_IMAGE:-}' (code $code)"
    return "$code"
}

# _container_binds: print what the container gets of the node.
_container_binds() {
    local cvmfs="" gpus=""
    [ "${GWMS_SINGULARITY_BIND_CVMFS:-1}" = 0 ] || cvmfs=$(bind_cvmfs)
    case ${OSG_MACHINE_GPUS:-0}/${GPU_USE:-0} in [1-9]*/* | */1) gpus=/etc/OpenCL/vendors ;; esac
    # shellcheck disable=SC2030
    (
        GLIDEIN_SINGULARITY_BINDPATH=${GLIDEIN_SINGULARITY_BINDPATH:-$(_config_value GLIDEIN_SINGULARITY_BINDPATH)}
        GLIDEIN_SINGULARITY_BINDPATH_DEFAULT=${GLIDEIN_SINGULARITY_BINDPATH_DEFAULT:-$(_config_value GLIDEIN_SINGULARITY_BINDPATH_DEFAULT)}
        export GLIDEIN_QUIET=1
        singularity_get_binds e "$GWMS_BINDS_DEFAULT,$cvmfs,$gpus" "${GWMS_SINGULARITY_WRAPPER_BINDPATHS_OVERRIDE:-}"
    )
}

# _equip_directory: what the wrapper needs inside, in the current directory.
_equip_directory() {
    local lib=${GWMS_AUX_DIR:-}/singularity_lib.sh top=${GWMS_DIR%/*} subdir=${GWMS_SUBDIR%/}
    [ -r "$lib" ] || lib=$top/main/singularity_lib.sh
    mkdir -p "${GWMS_AUX_SUBDIR:=.gwms_aux}" || return 1
    [ "$lib" -ef "$GWMS_AUX_SUBDIR/singularity_lib.sh" ] || cp "$lib" "$GWMS_AUX_SUBDIR/singularity_lib.sh" || return 1
    if [ -n "${GWMS_DIR:-}" ] && [ -d "$GWMS_DIR" ] && ! [ "$GWMS_DIR" -ef "$subdir" ]; then
        mkdir -p "$subdir" && cp -r "$GWMS_DIR"/. "$subdir/" || return 1
    fi
    if [ -z "${GWMS_BASE_SUBDIR:-}" ]; then
        cp "$GWMS_THIS_SCRIPT" .gwms-user-job-wrapper.sh && chmod u+x .gwms-user-job-wrapper.sh
    fi
}

# singularity_prepare_and_invoke COMMAND...: replace the shell by the container, in which GWMS_THIS_SCRIPT runs again, with
# GWMS_SINGULARITY_REEXEC=1. Returns only where the job may run without a container (HAS_SINGULARITY is 0 then).
singularity_prepare_and_invoke() {
    local binds tmp
    if ! _choose_image; then
        singularity_exit_or_fallback "$msg" 1
        return
    fi
    export GWMS_SINGULARITY_IMAGE_HUMAN=$GWMS_SINGULARITY_IMAGE
    GWMS_SINGULARITY_IMAGE=$(cvmfs_resolve "$(uri_path "$GWMS_SINGULARITY_IMAGE")")
    [ -n "${GWMS_SUBDIR:-}" ] || warn "GWMS_SUBDIR is not set, .gwms.d is used"
    export GWMS_SUBDIR=${GWMS_SUBDIR:-.gwms.d}
    GWMS_DIR=${GWMS_DIR:-${GWMS_THIS_SCRIPT_DIR:-.}/.gwms.d}
    tmp=${GLIDEIN_Tmp_Dir:-$(_config_value TMP_DIR)}
    export SINGULARITY_WORKDIR=${tmp:-/tmp}/singularity-work.$$ APPTAINER_WORKDIR=${tmp:-/tmp}/singularity-work.$$
    if ! mkdir -p "$APPTAINER_WORKDIR" || ! _equip_directory; then
        singularity_exit_or_fallback "the directory $PWD cannot be prepared for a container" 1
        return
    fi
    GWMS_SINGULARITY_EXTRA_OPTS=${GLIDEIN_SINGULARITY_OPTS:-$(_config_value GLIDEIN_SINGULARITY_OPTS)}
    case ${OSG_MACHINE_GPUS:-0}/${GPU_USE:-0} in [1-9]*/* | */1) GWMS_SINGULARITY_EXTRA_OPTS+=" --nv" ;; esac
    binds=$(_container_binds)
    export GWMS_SINGULARITY_OUTSIDE_PWD=$PWD
    JOB_WRAPPER_SINGULARITY=/srv/.gwms-user-job-wrapper.sh
    if [ -n "${GWMS_BASE_SUBDIR:-}" ]; then
        # the pilot's directory, where it is outside and at /srv
        binds=$PWD:/srv/$GWMS_BASE_SUBDIR,$PWD${binds:+,$binds}
        JOB_WRAPPER_SINGULARITY=/srv/$GWMS_BASE_SUBDIR/main/singularity_wrapper.sh
    fi
    singularity_update_path /srv "$@"
    export JOB_WRAPPER_SINGULARITY GWMS_SINGULARITY_REEXEC=1
    singularity_exec "$GWMS_SINGULARITY_PATH" "$GWMS_SINGULARITY_IMAGE" "$binds" "$GWMS_SINGULARITY_EXTRA_OPTS" \
        "${GWMS_SINGULARITY_GLOBAL_OPTS:-$(_config_value GLIDEIN_SINGULARITY_GLOBAL_OPTS)}" exec \
        "$JOB_WRAPPER_SINGULARITY" "${GWMS_RETURN[@]}"
}

# create_host_lib_dir: the runtime binds the libraries for GPUs by itself (--nv).
create_host_lib_dir() {
    return 0
}
# END bash
