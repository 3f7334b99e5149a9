#!/bin/bash
# Containers: what VO and site agree on, the image and the runtime for it, and what the slots advertise (contract 4.1-4.3).
# shellcheck disable=SC2154  # gconfig_get_to sets variables
glidein_config=$1
# shellcheck disable=SC1090  # a path of glidein_config
while read -r key path; do [ "$key" = ADD_CONFIG_LINE_SOURCE ] && . "$path" && break; done < "$glidein_config"
gconfig_get_to error_gen ERROR_GEN_PATH
gconfig_get_to main_dir GLIDEIN_WORK_DIR
# shellcheck disable=SC2034  # add_condor_vars_line reads it
gconfig_get_to condor_vars_file CONDOR_VARS_FILE
# shellcheck disable=SC1091
. "$main_dir/singularity_lib.sh"
# shellcheck disable=SC1091
. "$main_dir/singularity_find.source"
[ -n "${CVMFS_MOUNT_DIR:-}" ] || gconfig_get_to CVMFS_MOUNT_DIR CVMFS_MOUNT_DIR
platforms=default,rhel9,rhel7,rhel6,rhel8

refuse() {
    "$error_gen" -error singularity_setup.sh "$1" "$2"
    exit 1
}

# advertise NAME TYPE VALUE
advertise() {
    gconfig_add "$1" "$3"
    add_condor_vars_line "$1" "$2" - + N Y -
}

no_containers() {
    advertise HAS_SINGULARITY C False
    advertise GWMS_SINGULARITY_STATUS S "$1"
    "$error_gen" -ok singularity_setup.sh Singularity_status "$1" Singularity_reason "$2"
    exit 0
}

advertise_runtime() {
    local provides prefix
    advertise HAS_SINGULARITY C True
    advertise GWMS_SINGULARITY_STATUS S "$decision"
    gconfig_add GWMS_CONTAINER_OPTIONS "$found_options"
    for prefix in SINGULARITY GWMS_SINGULARITY CONTAINERSW GWMS_CONTAINERSW; do
        advertise "${prefix}_PATH" S "$found_bin"
        advertise "${prefix}_VERSION" S "$found_version"
        advertise "${prefix}_MODE" S "$found_mode"
    done
    advertise SINGULARITY_FULL_VERSION S "${found_bin##*/} version $found_version"
    advertise CONTAINERSW_FULL_VERSION S "${found_bin##*/} version $found_version"
    advertise SINGULARITY_IMAGES_DICT S "$dict"
    provides=$(gconfig_get GLIDEIN_PROVIDES)
    advertise GLIDEIN_PROVIDES S "${provides:+$provides,}singularity/$found_mode"
}

gconfig_get_to vo GLIDEIN_Singularity_Use
gconfig_get_to site GLIDEIN_SINGULARITY_REQUIRE
decision=$(container_decision "$vo" "$site")
echo "Containers: the VO says ${vo:-nothing}, the site ${site:-nothing}: $decision" >&2
case $decision in
FAIL) refuse VO_Config "GLIDEIN_Singularity_Use ${vo:-DISABLE_GWMS} does not go with GLIDEIN_SINGULARITY_REQUIRE ${site:-OPTIONAL}" ;;
DISABLE)
    gconfig_add GWMS_SINGULARITY_STATUS DISABLE
    exec "$error_gen" -ok singularity_setup.sh Singularity_status DISABLE
    ;;
NEVER) no_containers NEVER "VO and site do not want containers" ;;
esac

for name in CACHEDIR:cache TMPDIR:tmp; do
    place=$(gconfig_get GLIDEIN_LOCAL_TMP_DIR)/apptainer/${name#*:}
    mkdir -p "$place"
    for prefix in APPTAINER SINGULARITY; do
        variable=${prefix}_${name%%:*}
        [ -n "${!variable:-}" ] || export "$variable=$place"
    done
done

dict=$(images_dict "$(gconfig_get SINGULARITY_IMAGES_DICT)")
restrictions=$(gconfig_get SINGULARITY_IMAGE_RESTRICTIONS)
image=$(image_for dict "$platforms")
image_check "$image" "${restrictions:-cvmfs}"
usable=$?
if [ "$usable" != 0 ]; then
    whys=("" "there is no image in SINGULARITY_IMAGES_DICT" "image $image does not exist" "image $image is not in CVMFS")
    why=${whys[$usable]}
    if gconfig_get_bool SINGULARITY_IMAGE_REQUIRED; then
        [ "$decision" = REQUIRED ] && refuse WN_Resource "$why"
        no_containers NEVER "$why"
    fi
    echo "$why; the runtime is tried with a test image" >&2
    image=${GWMS_SINGULARITY_IMAGE_DEFAULT:-${APPTAINER_TEST_IMAGE:-$(gconfig_get APPTAINER_TEST_IMAGE)}}
    image=${image:-oras://ghcr.io/apptainer/alpine:latest}
    dict=$(dict_set_val dict testimage "$image")
fi
trial_log=$(mktemp "$(gconfig_get TMP_DIR)/containers.XXXXXX") || refuse WN_Resource "cannot write to $(gconfig_get TMP_DIR)"
trap 'rm -f "$trial_log"' EXIT
image=$(cvmfs_resolve "$(uri_path "$image")")
trial_options
if ! find_runtime "$image" "${trial[@]}"; then
    tail -n 20 "$trial_log" >&2
    why="no container runtime starts $image; tried:${bread_crumbs:- nothing was found}"
    [ "$decision" = REQUIRED ] && refuse WN_Resource "$why"
    echo "$why" >&2
    no_containers NEVER "$why"
fi
echo "Containers: $found_bin version $found_version ($found_mode), options $found_options; tried:$bread_crumbs" >&2
advertise_runtime
"$error_gen" -ok singularity_setup.sh Singularity_status "$decision" Singularity_path "$found_bin" \
    Singularity_version "$found_version" Singularity_mode "$found_mode"
