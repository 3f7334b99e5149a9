#!/bin/bash
# GLIDEIN_Java_Use: NEVER, OPTIONAL or REQUIRED. Where there is a Java, HTCondor is told of it.
# shellcheck disable=SC1090,SC2154  # gconfig_get_to sets variables by name

glidein_config=$1
while read -r key path; do [ "$key" = ADD_CONFIG_LINE_SOURCE ] && . "$path" && break; done < "$glidein_config"
gconfig_get_to error_gen ERROR_GEN_PATH
# shellcheck disable=SC2034  # add_condor_vars_line writes there
gconfig_get_to condor_vars_file CONDOR_VARS_FILE
gconfig_get_to use GLIDEIN_Java_Use
use=${use^^}
case ${use:-NEVER} in
NEVER)
    exec "$error_gen" -ok java_setup.sh java unwanted
    ;;
OPTIONAL | REQUIRED) ;;
*)
    "$error_gen" -error java_setup.sh Config "GLIDEIN_Java_Use '$use' is none of NEVER, OPTIONAL, REQUIRED"
    exit 1
    ;;
esac
java=$(command -v java)
if [ -z "$java" ] || ! timeout -k 5 60 "$java" -version > /dev/null 2>&1; then
    if [ "$use" = REQUIRED ]; then
        "$error_gen" -error java_setup.sh WN_Resource "Java is required, there is none in $PATH"
        exit 1
    fi
    exec "$error_gen" -ok java_setup.sh java none
fi
gconfig_add JAVA "$java"
add_condor_vars_line JAVA C "-" "+" N N "-"
exec "$error_gen" -ok java_setup.sh java "$java"
