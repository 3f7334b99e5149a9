# Whether a script is in a container, what the container's view of the job's directory is, and what happens without one.
# shellcheck shell=dash

# singularity_check: print yes or likely, with how the container was started; 1 outside of containers.
singularity_check() {
    local inside="" how map="" first second=""
    [ -z "${SINGULARITY_CONTAINER:-}${APPTAINER_CONTAINER:-}${GWMS_SINGULARITY_REEXEC:-}" ] || inside=yes
    [ -n "$inside" ] || case $(cat /proc/1/comm 2> /dev/null) in shim-init | sinit | appinit) inside=likely ;; esac
    [ -n "$inside" ] || return 1
    [ ! -r /proc/self/uid_map ] || read -r map < /proc/self/uid_map
    first=$(echo "$map" | cut -d ' ' -f 1)
    second=$(echo "$map" | tr -s ' ' | cut -d ' ' -f 2)
    case $first/$second in
    0/0) how=_privileged ;;
    0/?*) how=_fakeroot ;;
    /) how=_nousernamespaces ;;
    *) how="" ;;
    esac
    printf '%s\n' "$inside$how"
}

singularity_is_inside() {
    singularity_check > /dev/null
}

# singularity_exit_or_fallback MESSAGE [CODE] [SECONDS]: return where the job may run without a container, and say so in
# the environment. Otherwise call exit_wrapper of the script, if it has one, with these arguments, or exit.
singularity_exit_or_fallback() {
    case ${GWMS_SINGULARITY_STATUS:-}/${GWMS_SINGULARITY_STATUS_EFFECTIVE:-} in
    PREFERRED/REQUIRED*) ;;
    PREFERRED/*)
        export HAS_SINGULARITY=0 GWMS_SINGULARITY_PATH="" GWMS_SINGULARITY_REEXEC=""
        warn "$1; going on without a container"
        return 0
        ;;
    esac
    if command -v exit_wrapper > /dev/null; then
        exit_wrapper "$1" "${2:-1}" "${3:-}"
    fi
    warn "$1"
    exit "${2:-1}"
}

# singularity_setup_inside_env LIST: paths below one of the names in the colon-separated LIST, as the container sees them.
singularity_setup_inside_env() {
    local name value
    for name in X509_USER_PROXY X509_USER_CERT X509_USER_KEY OSG_WN_TMP _CONDOR_CREDS _CONDOR_MACHINE_AD _CONDOR_EXECUTE \
        _CONDOR_JOB_AD _CONDOR_SCRATCH_DIR _CONDOR_CHIRP_CONFIG _CONDOR_JOB_IWD; do
        eval "value=\${$name-}"
        [ -z "$value" ] || export "$name=$(path_inside "$value" "$1")"
    done
}

# singularity_setup_inside: the environment of a job in its container. The current directory is the job's, at /srv.
singularity_setup_inside() {
    local name
    unset TMP TMPDIR TEMPDIR TEMP X509_CERT_DIR
    singularity_setup_inside_env "${GWMS_SINGULARITY_OUTSIDE_PWD_LIST:-${GWMS_SINGULARITY_OUTSIDE_PWD:-}}"
    unset CONDOR_CONFIG
    for name in X509_USER_PROXY X509_USER_CERT X509_USER_KEY; do
        eval "[ -e \"\${$name:-/nonexistent}\" ] || unset $name"
    done
    [ -z "${OSG_WN_TMP:-}" ] || export OSG_WN_TMP=/tmp
    export PATH="$PWD/${GWMS_SUBDIR:-.gwms.d}/bin:$PATH" TZ="${TZ:-UTC}"
}
