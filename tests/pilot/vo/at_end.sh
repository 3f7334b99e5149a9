#!/bin/bash
# Runs when the pilot ends; says what would have been sourced before a job.
{
    echo "$(grep -c '^GLIDEIN_INITIALIZED 1' "$1") $2"
    for file in .gwms.d/exec/prejob/*; do
        echo "${file##*/}"
    done
    # shellcheck disable=SC1090
    . .gwms.d/exec/prejob/*_before_job.sh
    echo "$VO_BEFORE"
} > "$EVIDENCE/at_end"
