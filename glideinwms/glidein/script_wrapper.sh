#!/bin/bash
# Runs a periodic script as a startd cron job: its stdout goes into the slot's ad, its outcome into glidein_config.
#   script_wrapper.sh CONFIG TREE JOB SCRIPT PREFIX [KIND]  (at setup, called with CONFIG and TREE only: says it is there)
# shellcheck disable=SC1090,SC2154  # gconfig_get_to sets variables by name

glidein_config=$1
while read -r key path; do [ "$key" = ADD_CONFIG_LINE_SOURCE ] && . "$path" && break; done < "$glidein_config"
gconfig_get_to error_gen ERROR_GEN_PATH
if [ $# -le 2 ]; then
    exec "$error_gen" -ok script_wrapper.sh
fi
tree=$2 job=$3 script=$4 prefix=""
[ "$5" = NOPREFIX ] && prefix=GLIDEIN_PS_
command=("$script" "$glidein_config" "$tree")
gconfig_get_to main_dir GLIDEIN_WORK_DIR
[ "${6:-exec}" != exec:s ] || command=("$main_dir/singularity_wrapper.sh" "${command[@]}")
gconfig_get_to work_dir GLIDEIN_WORKSPACE_ORIG
export GLIDEIN_PERIODIC_SCRIPT=true start_dir=$work_dir
work=$(mktemp -d "$work_dir/tmp/ps_XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
printf -v began '%(%s)T' -1
# HTCondor ends what still runs when its next turn comes, or when the pilot ends, within a second: with all that it started
child="" killed=""
trap 'killed=1; [ -z "$child" ] || kill -KILL -- "-$child"' TERM
set -m
"${command[@]}" < /dev/null &
child=$!
set +m
wait "$child"
status=$?
[ -z "$killed" ] || status=137
printf -v ended '%(%s)T' -1
if [ -n "$killed" ]; then
    period=$(sed -n "s/^STARTD_CRON_${job}_PERIOD = \([0-9]*\)s\$/\1/p" "$work_dir/condor_config_startd_cron_include")
    # not before its next turn: the pilot ends
    [ $((ended - began)) -ge "${period:-0}" ] || exit 0
fi

# listed KEY ADD: the names of jobs in a key, with this one or without it, in `list`; `was`: whether it was there.
listed() {
    gconfig_get_to list "$1"
    list=,${list:+$list,}
    [[ $list == *,$job,* ]] && was=yes || was=""
    list=${list//,$job,/,}
    [ -z "$2" ] || list+=$job,
    list=${list#,}
    list=${list%,}
}

# The first line of the script's own words.
reason() {
    local text=""
    [ ! -s otrb_output.xml ] || IFS= read -r -d '' text < otrb_output.xml
    [[ $text == *"<detail>"* ]] || text=""
    text=${text#*<detail>}
    text=${text%%</detail>*}
    text=${text#"${text%%[![:space:]]*}"}
    text=${text%%$'\n'*}
    text=${text//[\\\"[:cntrl:]]/ }
    reason="exit code $status after $((ended - began)) s${killed:+: not done when its next turn came}${text:+: ${text:0:500}}"
}

# another one may read and write them at the same time
lock_file "$glidein_config" 300
ok=True
listed GLIDEIN_PS_FAILING_LIST "${status#0}"
failed_before=$was
[ -z "$list" ] || ok=False
add_config_line GLIDEIN_PS_FAILING_LIST "$list"
add_config_line GLIDEIN_PS_OK "$ok"
add_config_line GLIDEIN_PS_LAST "$script"
add_config_line GLIDEIN_PS_LAST_END "$ended"
printf '%s\n' "${prefix}OK = $ok" "${prefix}LAST = \"$script\"" "${prefix}LAST_END = $ended"
if [ "$status" != 0 ]; then
    reason
    listed GLIDEIN_PS_FAILED_LIST add
    add_config_line GLIDEIN_PS_FAILED_LIST "$list"
    add_config_line GLIDEIN_PS_FAILED_LAST "$script"
    add_config_line GLIDEIN_PS_FAILED_LAST_REASON "$reason"
    add_config_line GLIDEIN_PS_FAILED_LAST_END "$ended"
    printf '%s\n' "${prefix}FAILED_LAST = \"$script\"" "${prefix}FAILED_LAST_REASON = \"$reason\"" \
        "${prefix}FAILED_LAST_END = $ended"
fi
unlock_file "$glidein_config"
# once for a row of failures: a pilot lives for days
if [ "$status" != 0 ] && [ -z "$failed_before" ]; then
    "$main_dir/error_augment.sh" -process "$status" "$tree/${script##*/}" "$work" "$script $glidein_config" "$began" "$ended"
    "$main_dir/error_augment.sh" -concat "$work_dir/otr_outlist.list"
fi
echo "-"
