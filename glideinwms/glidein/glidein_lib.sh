# All helpers of scripts at once. Sourced; needs `glidein_config`, and is at $GLIDEIN_WORK_DIR/glidein_lib.sh.
# shellcheck shell=bash

while read -r gwms_key gwms_path; do
    # shellcheck disable=SC1090
    case $gwms_key in
    ADD_CONFIG_LINE_SOURCE | GET_ID_SELECTORS_SOURCE | LOGGING_UTILS_SOURCE | B64UUENCODE_SOURCE | GLIDEIN_PATHS_SOURCE) . "$gwms_path" ;;
    esac
done < "${glidein_config:?}"
unset gwms_key gwms_path
# shellcheck disable=SC2034  # for who sources this
gconfig_get_to error_gen ERROR_GEN_PATH
# shellcheck disable=SC2034  # add_condor_vars_line writes there
gconfig_get_to condor_vars_file CONDOR_VARS_FILE
