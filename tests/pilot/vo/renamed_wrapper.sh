#!/bin/bash
# A VO's wrapper as it is derived from the one that GlideinWMS 3.10 brings, under another name.
EXITSLEEP=0
export GWMS_THIS_SCRIPT=$0
GWMS_THIS_SCRIPT_DIR=$(dirname "$0")
GWMS_AUX_SUBDIR=${GWMS_AUX_SUBDIR:-.gwms_aux}
export GWMS_AUX_SUBDIR

exit_wrapper() {
    echo "$1" >&2
    [ -z "${_CONDOR_WRAPPER_ERROR_FILE:-}" ] || echo "$1" >> "$_CONDOR_WRAPPER_ERROR_FILE"
    sleep "${3:-$EXITSLEEP}"
    exit "${2:-1}"
}

GWMS_AUX_DIR=$GWMS_THIS_SCRIPT_DIR/main
[ ! -e /srv/.gwms_aux/singularity_lib.sh ] || GWMS_AUX_DIR=/srv/.gwms_aux
export GWMS_AUX_DIR
# shellcheck disable=SC1091
. "$GWMS_AUX_DIR"/singularity_lib.sh
if [ -z "$GWMS_SINGULARITY_REEXEC" ]; then
    GWMS_DIR=$GWMS_THIS_SCRIPT_DIR/.gwms.d
    export GWMS_DIR GWMS_SUBDIR=.gwms.d
    setup_classad_variables
    if [ "$HAS_SINGULARITY" = 1 ] && [ -n "$GWMS_SINGULARITY_PATH" ]; then
        info_dbg "going in"
        singularity_prepare_and_invoke "$@"
    fi
else
    cd /srv || exit_wrapper "no /srv"
    export HOME=/srv
    setup_classad_variables
    singularity_setup_inside
fi
rm -f .gwms-user-job-wrapper.sh
# shellcheck disable=SC2154
gwms_process_scripts "${GWMS_DIR:-/srv/.gwms.d}" prejob "$glidein_config"
