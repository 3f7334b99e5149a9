#!/bin/bash
# Uses every shell helper, loaded by glidein_lib.sh.
glidein_config=$1
# shellcheck disable=SC1090,SC1091
. "$(grep '^GLIDEIN_WORK_DIR ' "$glidein_config" | cut -d ' ' -f 2-)/glidein_lib.sh"
{
    echo "direct $(gconfig_get VO_DIRECT)"
    echo "file $(gconfig_get VO_DIRECT "$glidein_config")"
    echo "case $(gconfig_get vo_direct "$glidein_config" -i)"
    echo "none [$(gconfig_get VO_NONE)]"
    gconfig_add VO_Word " MiXed "
    echo "lower $(gconfig_get_tolower VO_Word)"
    echo "upper $(gconfig_get_toupper VO_Word)"
    echo "trim [$(gconfig_get_trim VO_Word)]"
    gconfig_add VO_Yes y
    gconfig_get_bool VO_Yes && echo "bool yes"
    gconfig_get_bool VO_Word || echo "bool no"
    gconfig_add_safe VO_Word "sa.*fe [x"
    echo "safe $(gconfig_get VO_Word)"
    gconfig_add_unsafe VO_Word "unsafe"
    gconfig_log_add "" note "something said"
    echo "history $(grep -c 'something said\|VO_Word' "$(gconfig_log_name)")"
    lock_file "$glidein_config" 5 && echo "locked by $(($(cat "$glidein_config.pid") == $$))"
    unlock_file "$glidein_config"
    gconfig_trim_safe
    echo "lines $(grep -c '^VO_Word ' "$glidein_config")"
    echo "tree $2 $(get_prefix "$2")$(get_work_dir "$2" | sed 's|.*/||')"
    echo "from $(gwms_from_config VO_NONE default echo) $(gwms_from_config VO_Word default echo)"
    echo text | b64uuencode
    glog_write everything.sh text 'said "this"'
    echo "glog $(grep -c '"said ..this' "$(gconfig_get GLIDEIN_WORKSPACE_ORIG)/logs/$(gconfig_get GLIDEIN_UUID)"/*.log)"
    # shellcheck disable=SC2154  # glidein_lib.sh sets it
    echo "augment $("${error_gen%/*}/error_augment.sh" -init && echo ok)"
} > "$EVIDENCE/everything" 2>&1
# what other scripts are to run
mkdir -p .gwms.d/exec/prejob
echo 'export VO_DROPPED=yes' > .gwms.d/exec/prejob/vo_dropped.sh
# shellcheck disable=SC2016
printf '#!/bin/sh\ngrep -c "^GLIDEIN_UUID " "$1" > "$EVIDENCE/dropped"\n' > .gwms.d/exec/cleanup/vo_dropped
chmod +x .gwms.d/exec/cleanup/vo_dropped
"$error_gen" -ok everything.sh
