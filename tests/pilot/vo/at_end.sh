#!/bin/bash
# Runs when the pilot ends; says what would have been sourced before a job.
{
    grep -c '^GLIDEIN_INITIALIZED 1' "$1"
    for file in .gwms.d/exec/prejob/*; do
        [ -x "$file" ] || echo "${file##*/}"
    done
    # shellcheck disable=SC1090
    . .gwms.d/exec/prejob/*_before_job.sh
    echo "$VO_BEFORE"
} > "$EVIDENCE/at_end"
