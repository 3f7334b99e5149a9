#!/bin/bash
# Runs after the entry's files; .gwms.d/bin is first in PATH by then.
{
    echo "id $2"
    echo "path ${PATH%%:*}"
    grep -c '^VO_Old ' "$1"
    sed -n 's/^VO_Old //p' "$1"
} > "$EVIDENCE/group"
echo "$VO_SOURCED ${rows-unset} ${vo_setting-unset} ${vo2Path-unset}" > "$EVIDENCE/group.env"
