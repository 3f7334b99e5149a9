# Dictionaries `key:value,key:value` in a variable, of which functions get the NAME; lists `a,b`.
# Values may hold blanks and colons; a key may have an empty value, with a colon or without.
# shellcheck shell=dash

# _dict_text NAME: set _dict to the variable's text. A text with `:` or `,` is no name and stands for itself.
_dict_text() {
    case $1 in
    *[:,]*) _dict=$1 ;;
    *)
        _dict=${1##*[!A-Za-z0-9_]}
        case $_dict in
        "" | [0-9]*) _dict="" ;;
        *) eval "_dict=\${$_dict-}" ;;
        esac
        ;;
    esac
}

# dict_get_val NAME KEY[,KEY...]: print the value of the first of these keys that has one; 1 if none has.
dict_get_val() {
    _dict_text "$1"
    local keys="$2," key rest pair value
    while [ -n "$keys" ]; do
        key=${keys%%,*} keys=${keys#*,} rest="$_dict," value=""
        while [ -n "$rest" ]; do
            pair=${rest%%,*}
            rest=${rest#*,}
            case $pair in
            "$key":*) value=${pair#*:} ;;
            esac
        done
        if [ -n "$value" ]; then
            printf '%s\n' "$value"
            return 0
        fi
    done
    return 1
}

# dict_check_key NAME KEY: whether the key is there, with a value or without.
dict_check_key() {
    _dict_text "$1"
    case ,$_dict, in
    *,"$2",* | *,"$2":*) return 0 ;;
    esac
    return 1
}

# dict_set_val NAME KEY [VALUE]: print the dictionary with this pair at its end, the variable stays as it is.
# 0 if the key was there, 1 if it is new.
dict_set_val() {
    _dict_text "$1"
    local rest pair out="" status=1
    rest="$_dict,"
    while [ -n "$rest" ]; do
        pair=${rest%%,*}
        rest=${rest#*,}
        [ -n "$pair" ] || continue
        if [ "${pair%%:*}" = "$2" ]; then
            status=0
        else
            out=$out$pair,
        fi
    done
    printf '%s\n' "$out$2${3:+:$3}"
    return "$status"
}

# dict_get_keys NAME: print the keys, separated by commas.
dict_get_keys() {
    _dict_text "$1"
    local rest pair out=""
    rest="$_dict,"
    while [ -n "$rest" ]; do
        pair=${rest%%,*}
        rest=${rest#*,}
        [ -z "$pair" ] || out=$out,${pair%%:*}
    done
    printf '%s\n' "${out#,}"
}

# dict_get_first NAME [value|key|item]: print that of the first pair; 1 if its value is asked for and it has no colon.
dict_get_first() {
    _dict_text "$1"
    local pair
    pair=${_dict%%,*}
    [ -n "$pair" ] || return 0
    case ${2:-value}/$pair in
    value/*:*) printf '%s\n' "${pair#*:}" ;;
    value/*) return 1 ;;
    key/*) printf '%s\n' "${pair%%:*}" ;;
    item/*) printf '%s\n' "$pair" ;;
    esac
}

# dict_items_iterator NAME FUNCTION [ARGUMENT...]: call FUNCTION ARGUMENT... KEY VALUE for each pair, in this shell.
dict_items_iterator() {
    _dict_text "$1"
    local rest pair
    rest="$_dict,"
    shift
    while [ -n "$rest" ]; do
        pair=${rest%%,*}
        rest=${rest#*,}
        case $pair in
        "") ;;
        *:*) "$@" "${pair%%:*}" "${pair#*:}" ;;
        *) "$@" "$pair" "" ;;
        esac
    done
}

dict_items_iterator_bash() {
    dict_items_iterator "$@"
}

# dict_keys_iterator_bash NAME FUNCTION [ARGUMENT...]: call FUNCTION ARGUMENT... KEY for each key.
dict_keys_iterator_bash() {
    _dict_text "$1"
    local rest pair
    rest="$_dict,"
    shift
    while [ -n "$rest" ]; do
        pair=${rest%%,*}
        rest=${rest#*,}
        [ -z "$pair" ] || "$@" "${pair%%:*}"
    done
}

# list_get_intersection A B: print what is in both, in the order of A; a list `any` is the other list. 1 if there is nothing.
list_get_intersection() {
    local rest item out="" first second
    first=$(printf '%s' "$1" | tr -d ' ')
    second=$(printf '%s' "$2" | tr -d ' ')
    [ -n "$first" ] && [ -n "$second" ] || return 1
    case $first/$second in
    any/*) out=,$second ;;
    */any) out=,$first ;;
    *)
        rest="$first,"
        while [ -n "$rest" ]; do
            item=${rest%%,*}
            rest=${rest#*,}
            case ,$second, in
            *,"$item",*) out=$out,$item ;;
            esac
        done
        ;;
    esac
    [ -n "$out" ] && printf '%s\n' "${out#,}"
}

# platforms_of JOB SITE: what a job may run on; an empty list, and `any` in a list, stand for all.
platforms_of() {
    local job="$1" site="$2"
    case ,$job, in ,, | *,any,* | *," any"* | *"any ",*) job=any ;; esac
    case ,$site, in ,, | *,any,* | *," any"* | *"any ",*) site=any ;; esac
    list_get_intersection "$job" "$site"
}
