#!/bin/bash
# Runs a periodic script as a startd cron job: its stdout goes into the slot's ad, its outcome into glidein_config.
#   script_wrapper.sh CONFIG TREE JOB SCRIPT PREFIX      (at setup, called with CONFIG and TREE only: says it is there)
# shellcheck disable=SC1090,SC2154  # gconfig_get_to sets variables by name

glidein_config=$1
while read -r key path; do [ "$key" = ADD_CONFIG_LINE_SOURCE ] && . "$path" && break; done < "$glidein_config"
gconfig_get_to error_gen ERROR_GEN_PATH
if [ $# -le 2 ]; then
    "$error_gen" -ok script_wrapper.sh
    exit 0
fi
tree=$2 job=$3 script=$4 prefix=""
[ "$5" = NOPREFIX ] && prefix=GLIDEIN_PS_
export GLIDEIN_PERIODIC_SCRIPT=true
work=$(mktemp -d "$(gconfig_get GLIDEIN_WORKSPACE_ORIG)/tmp/ps_XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
printf -v began '%(%s)T' -1
"$script" "$glidein_config" "$tree" < /dev/null
status=$?
printf -v ended '%(%s)T' -1

gconfig_get_to failing GLIDEIN_PS_FAILING_LIST
failing=,$failing,
failing=${failing//,$job,/,}
[ "$status" = 0 ] || failing+=$job,
failing=${failing#,}
failing=${failing%,}
ok=True
[ -z "$failing" ] || ok=False
set_keys() {
    add_config_line_safe GLIDEIN_PS_FAILING_LIST "$failing"
    add_config_line_safe GLIDEIN_PS_OK "$ok"
    add_config_line_safe GLIDEIN_PS_LAST "$script"
    add_config_line_safe GLIDEIN_PS_LAST_END "$ended"
}
set_keys
printf '%s\n' "${prefix}OK = $ok" "${prefix}LAST = \"$script\"" "${prefix}LAST_END = $ended"
if [ "$status" != 0 ]; then
    add_config_line_safe GLIDEIN_PS_FAILED_LAST "$script"
    add_config_line_safe GLIDEIN_PS_FAILED_LAST_END "$ended"
    printf '%s\n' "${prefix}FAILED_LAST = \"$script\"" "${prefix}FAILED_LAST_REASON = \"exit code $status after $((ended - began)) s\"" \
        "${prefix}FAILED_LAST_END = $ended"
fi
echo "-"
