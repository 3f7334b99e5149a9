# main/singularity_lib.sh: what VO scripts, job wrappers and prepare-job hooks of GlideinWMS 3.10 call, and what our own
# wrappers use. The parts of this file are put together when it is staged (manifest.toml). docs/reference/script-api.md
# describes the functions. Everything before the line `# START bash` runs in bash, busybox and dash.
# shellcheck shell=dash

export GWMS_SINGULARITY_LIB_VERSION=3
# shellcheck disable=SC2034  # scripts read these
{
    OSG_SINGULARITY_BINARY_DEFAULT=${CVMFS_MOUNT_DIR:-/cvmfs}
    OSG_SINGULARITY_BINARY_DEFAULT=${OSG_SINGULARITY_BINARY_DEFAULT%/}/oasis.opensciencegrid.org/mis/singularity/bin/singularity
    CONDOR_APPTAINER_BIN=usr/libexec/apptainer
    APPTAINER_TEST_IMAGE_DEFAULT=oras://ghcr.io/apptainer/alpine:latest
    GWMS_MODULE_USE_DEFAULT=1
    _DEFAULT_PATH=/usr/bin:/bin
    GWMS_JOB_HOME=/srv
    GWMS_SCRIPT_LOG=${GWMS_THIS_SCRIPT:-$0}
    case $GWMS_SCRIPT_LOG in
    */*) GWMS_SCRIPT_LOG=${GWMS_SCRIPT_LOG%/*}/.LOG_${GWMS_SCRIPT_LOG##*/}.$$.txt ;;
    *) GWMS_SCRIPT_LOG=.LOG_$GWMS_SCRIPT_LOG.$$.txt ;;
    esac
    SCRIPT_LOG=${GLIDEIN_DEBUG_OUTPUT:+$GWMS_SCRIPT_LOG}
}

# _message QUIET TEXT: print on stderr unless QUIET is set, and write to the script's log where it has one.
_message() {
    [ -n "$1" ] || printf '%s\n' "$2" >&2
    [ -z "${SCRIPT_LOG:-}" ] || printf '%s\n' "$2" >> "$GWMS_SCRIPT_LOG"
}

info_stdout() {
    [ -n "${GLIDEIN_QUIET:-}" ] || printf '%s\n' "$*"
}

info_raw() {
    _message "${GLIDEIN_QUIET:-}" "$*"
}

info() {
    _message "${GLIDEIN_QUIET:-}" "INFO  $*"
}

info_dbg() {
    [ -n "${GLIDEIN_DEBUG_OUTPUT:-}" ] || return 0
    _message "${GLIDEIN_QUIET:-}" "DEBUG ${GWMS_THIS_SCRIPT:+($GWMS_THIS_SCRIPT)} $*"
}

warn_raw() {
    _message "" "$*"
}

warn() {
    warn_raw "WARNING  $*"
}

warn_muted() {
    [ -z "${GLIDEIN_DEBUG_OUTPUT:-}" ] || warn_raw "WARNING  $*"
}

# _load_config: the functions for glidein_config, where there is such a file. glidein_config is NONE where there is not.
_load_config() {
    local source="" line
    [ -n "${glidein_config:-}" ] || case $0 in */*) glidein_config=${0%/*}/glidein_config ;; esac
    if [ ! -r "${glidein_config:-}" ]; then
        [ -z "${GLIDEIN_DEBUG_OUTPUT:-}" ] || warn "glidein_config ${glidein_config:-} cannot be read"
        glidein_config=NONE
        error_gen=${error_gen:-warn}
        return 0
    fi
    error_gen="" condor_vars_file=""
    while IFS= read -r line; do
        case $line in
        "ERROR_GEN_PATH "*) error_gen=${line#* } ;;
        "CONDOR_VARS_FILE "*) condor_vars_file=${line#* } ;;
        "ADD_CONFIG_LINE_SOURCE "*) source=${line#* } ;;
        esac
    done < "$glidein_config"
    [ -r "$source" ] || case $glidein_config in
    */*) source=${glidein_config%/*}/add_config_line.source ;;
    *) source=./add_config_line.source ;;
    esac
    export condor_vars_file add_config_line_source="$source"
    # it needs bash; the variable of a parent says nothing about functions here
    if [ -r "$source" ] && [ -n "${BASH_VERSION:-}" ]; then
        # shellcheck disable=SC1090
        if [ -z "${SOURCED_ADD_CONFIG_LINE:-}" ] || ! command -v gconfig_get > /dev/null; then . "$source"; fi
        export SOURCED_ADD_CONFIG_LINE=1
    fi
}

# _config_value KEY: the last value in glidein_config, without the functions for it.
_config_value() {
    [ ! -r "${glidein_config:-NONE}" ] || sed -n "s/^$1 //p" "$glidein_config" | tail -n 1
}

_load_config
