#!/bin/bash
# Fails where the test asks for it.
[ -n "$VO_FAIL" ] || exit 0
error_gen=$(grep '^ERROR_GEN_PATH ' "$1" | cut -d ' ' -f 2-)
"$error_gen" -error late_failure.sh VO_Config "there is no <such> software" software ROOT
exit 3
