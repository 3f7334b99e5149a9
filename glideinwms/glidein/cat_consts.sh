#!/bin/bash
# Merges a tree's constants into glidein_config, in one pass. Runs in every pilot, also of other versions.
glidein_config=$1
tree=$2
# Its own reading of the configuration: other versions' helpers start processes for each key.
declare -A cfg=([main]="" [entry]=ENTRY_ [client]=GLIDECLIENT_ [client_group]=GLIDECLIENT_GROUP_)
while read -r key value; do
    case $key in
    ERROR_GEN_PATH | *CONSTS_FILE) cfg[$key]=$value ;;
    esac
done < "$glidein_config"
error_gen=${cfg[ERROR_GEN_PATH]}
consts=${cfg[${cfg[$tree]}CONSTS_FILE]:-}
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
exec "$error_gen" -ok cat_consts.sh NrAttributes "${#names[@]}"
