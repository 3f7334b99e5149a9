# Sourced at set-up, and at the end of the pilot.
# shellcheck shell=bash
if [ -d "$GLIDEIN_LOOKS_BACK" ]; then
    echo "$2" > "$EVIDENCE/sourced_at_end"
else
    export VO_SOURCED="a 'b' \$c two
lines"
    export rows=lost vo_setting="in lower case" vo2Path=/a:/b GLIDEIN_LOOKS_BACK=$PWD
    [ -z "$VO_FAIL_SOURCE" ] || exit "$VO_FAIL_SOURCE"
    echo "client/$(gconfig_get GLIDEIN_INITIALIZED) $1 $2 ok" > "$EVIDENCE/sourced"
    cd /
fi
