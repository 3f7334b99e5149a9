#!/bin/bash
# Merges a tree's constants into glidein_config, in one pass. Runs in every pilot, also of other versions.
glidein_config=$1
tree=$2
# shellcheck disable=SC1090
. "$(grep '^ADD_CONFIG_LINE_SOURCE ' "$glidein_config" | cut -d ' ' -f 2-)"
# shellcheck disable=SC1090
. "$(gconfig_get GET_ID_SELECTORS_SOURCE "$glidein_config")"
error_gen=$(gconfig_get ERROR_GEN_PATH "$glidein_config")
consts=$(gconfig_get "$(get_prefix "$tree")CONSTS_FILE" "$glidein_config")
if [ ! -r "$consts" ]; then
    "$error_gen" -error cat_consts.sh Corruption "the constants of $tree cannot be read: $consts"
    exit 1
fi

declare -A value_of=()
names=()
while IFS= read -r line || [ -n "$line" ]; do
    case $line in
    "#"* | "") continue ;;
    esac
    name=${line%%$'\t'*}
    name=${name%"${name##*[![:blank:]]}"}
    value=${line#*$'\t'}
    [ -n "${value_of[$name]+set}" ] || names+=("$name")
    value_of[$name]=${value%"${value##*[![:space:]]}"}
done < "$consts"

temporary=$glidein_config.$$.tmp
{
    while IFS= read -r line || [ -n "$line" ]; do
        [ -n "${value_of[${line%%[[:blank:]]*}]+set}" ] || printf '%s\n' "$line"
    done < "$glidein_config"
    for name in "${names[@]}"; do
        printf '%s %s\n' "$name" "${value_of[$name]}"
    done
} > "$temporary" && mv -f "$temporary" "$glidein_config" || exit 1
"$error_gen" -ok cat_consts.sh NrAttributes "${#names[@]}"
