#!/bin/bash
# Whether this node is on the tree's list of bad nodes: lines that start with 'name' or 'address' in single quotes.
glidein_config=$1
tree=$2
# shellcheck disable=SC1090
. "$(grep '^ADD_CONFIG_LINE_SOURCE ' "$glidein_config" | cut -d ' ' -f 2-)"
# shellcheck disable=SC1090
. "$(gconfig_get GET_ID_SELECTORS_SOURCE "$glidein_config")"
error_gen=$(gconfig_get ERROR_GEN_PATH "$glidein_config")
list=$(gconfig_get "$(get_prefix "$tree")BLACKLIST_FILE" "$glidein_config")
if [ -r "$list" ]; then
    for name in "$(uname -n)" $(hostname -I 2> /dev/null); do
        if grep -qF -- "'$name'" <(grep "^'" "$list"); then
            "$error_gen" -error check_blacklist.sh WN_Resource "node $name is on the list of bad nodes" hostname "$name"
            exit 1
        fi
    done
fi
"$error_gen" -ok check_blacklist.sh hostname "$(uname -n)"
