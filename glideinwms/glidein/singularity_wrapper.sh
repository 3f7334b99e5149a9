#!/bin/bash
# Runs a set-up or periodic script inside the container, if the pilot has one, else as it is.
#   singularity_wrapper.sh SCRIPT CONFIG TREE      (at setup, called with CONFIG and TREE only: says it is there)
# The work directory is where it is outside, and at /srv/.gwms_base (GWMS_BASE_SUBDIR).
for glidein_config in "${@:(-2):1}" "$1"; do
    [ -f "$glidein_config" ] || continue
    while read -r key path; do
        # shellcheck disable=SC1090  # a path of glidein_config
        [ "$key" = ADD_CONFIG_LINE_SOURCE ] && . "$path" && break 2
    done < "$glidein_config"
done
if [ $# -le 2 ]; then
    gconfig_get_to error_gen ERROR_GEN_PATH
    # shellcheck disable=SC2154  # gconfig_get_to sets it
    exec "$error_gen" -ok singularity_wrapper.sh
fi
# shellcheck disable=SC1091
. "$(gconfig_get GLIDEIN_WORK_DIR)/singularity_lib.sh"
CVMFS_MOUNT_DIR=${CVMFS_MOUNT_DIR:-$(gconfig_get CVMFS_MOUNT_DIR)}
work_dir=$(gconfig_get GLIDEIN_WORKSPACE_ORIG)
status=$(gconfig_get GWMS_SINGULARITY_STATUS)
runtime=$(gconfig_get GWMS_SINGULARITY_PATH)
# shellcheck disable=SC2034  # image_for reads it
dict=$(gconfig_get SINGULARITY_IMAGES_DICT)
image=$(image_for dict "default,rhel9,rhel8,rhel7,rhel6,any,testimage")
if [ -z "$runtime" ] || [ -z "$image" ]; then
    [ "$status" != REQUIRED ] || {
        echo "singularity_wrapper.sh: there is no image for $1" >&2
        exit 1
    }
    exec "$@"
fi
image=$(cvmfs_resolve "$(uri_path "$image")")
read -ra options <<< "$(gconfig_get GWMS_CONTAINER_OPTIONS) $(gconfig_get GLIDEIN_SINGULARITY_OPTS)"
read -ra global <<< "$(gconfig_get GLIDEIN_SINGULARITY_GLOBAL_OPTS)"
binds=$(binds_of "$(gconfig_get GLIDEIN_SINGULARITY_BINDPATH)" "$(gconfig_get GLIDEIN_SINGULARITY_BINDPATH_DEFAULT)" \
    "$GWMS_BINDS_DEFAULT" "$(bind_cvmfs)" "$work_dir:/srv/.gwms_base,$work_dir")
export GWMS_BASE_SUBDIR=.gwms_base GWMS_SINGULARITY_REEXEC=1 GWMS_SINGULARITY_IMAGE=$image
home=$(mktemp -d "$(gconfig_get TMP_DIR)/container.XXXXXX") || exit 1
trap 'rm -rf "$home"' EXIT
"$runtime" "${global[@]}" exec --home "$home:/srv" --pwd "$PWD" --ipc --contain "${options[@]}" --bind "$binds" "$image" "$@" &
child=$!
trap 'kill -TERM "$child" 2> /dev/null' TERM INT QUIT
wait "$child"
status=$?
while kill -0 "$child" 2> /dev/null; do
    wait "$child"
    status=$?
done
exit "$status"
