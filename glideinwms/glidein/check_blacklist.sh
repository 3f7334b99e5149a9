#!/bin/bash
# Whether this node is on the tree's list of bad nodes: lines that start with 'name' or 'address' in single quotes.
glidein_config=$1
tree=$2
# Its own reading of the configuration: other versions' helpers start processes for each key.
declare -A cfg=([main]="" [entry]=ENTRY_ [client]=GLIDECLIENT_ [client_group]=GLIDECLIENT_GROUP_)
while read -r key value; do
    case $key in
    ERROR_GEN_PATH | *BLACKLIST_FILE) cfg[$key]=$value ;;
    esac
done < "$glidein_config"
error_gen=${cfg[ERROR_GEN_PATH]}
list=${cfg[${cfg[$tree]}BLACKLIST_FILE]:-}
declare -A bad=()
if [ -r "$list" ]; then
    while read -r line || [ -n "$line" ]; do
        [[ $line =~ ^\'([^\']+)\' ]] && bad[${BASH_REMATCH[1]}]=1
    done < "$list"
fi
node=$(uname -n) || read -r node < /proc/sys/kernel/hostname

# addresses: sets `addresses` of this node; without a hostname that tells them, those of version 4 that the kernel has.
addresses() {
    local word before=""
    addresses=$(timeout -k 5 20 hostname -I 2> /dev/null) && [ -n "$addresses" ] && return
    addresses=""
    while read -r _ word _; do
        [[ $word != host ]] || addresses+=" $before"
        before=$word
    done 2> /dev/null < /proc/net/fib_trie
    [ -n "$addresses" ] || [[ ! "${!bad[*]}" =~ (^|\ )[0-9a-fA-F:.]*[:.][0-9a-fA-F:.]*(\ |$) ]] || {
        "$error_gen" -error check_blacklist.sh WN_Resource "the list of bad nodes has addresses, but this node's are not known"
        exit 1
    }
}

if [ "${#bad[@]}" -gt 0 ]; then
    addresses
    for name in "$node" $addresses; do
        if [ -n "${bad[$name]:-}" ]; then
            "$error_gen" -error check_blacklist.sh WN_Resource "node $name is on the list of bad nodes" hostname "$name"
            exit 1
        fi
    done
fi
exec "$error_gen" -ok check_blacklist.sh hostname "$node"
