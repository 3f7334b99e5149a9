# All helpers of scripts at once. Sourced; needs `glidein_config`, and is at $GLIDEIN_WORK_DIR/glidein_lib.sh.
# shellcheck shell=bash

# sanitizedCat FILE: print what a file holds as a value of an ad: a number, a text in quotes, or "WrongFormat".
sanitizedCat() {
    local text=""
    [ ! -r "$1" ] || text=$(< "$1")
    if [[ $text =~ ^[0-9]+(\.[0-9]+)?$ ]]; then
        echo "$text"
    elif [[ -n $text && $text != *[\"\\]* ]]; then
        echo "\"$text\""
    else
        echo '"WrongFormat"'
    fi
}

# getValueFromFileOrURL NAME PLACE: print the value of the file NAME in a directory or below a URL, else "Unknown".
getValueFromFileOrURL() {
    local file
    case $2 in
    http://* | https://*)
        file=$(mktemp)
        if curl -q -sf -m 30 -o "$file" "$2/$1" 2> /dev/null ||
            HOME=/nonexistent WGETRC="" wget -q -T 30 -t 1 -O "$file" "$2/$1" 2> /dev/null; then
            sanitizedCat "$file"
        else
            echo '"Unknown"'
        fi
        rm -f "$file"
        ;;
    *) if [ -r "$2/$1" ]; then sanitizedCat "$2/$1"; else echo '"Unknown"'; fi ;;
    esac
}

while read -r gwms_key gwms_path; do
    # shellcheck disable=SC1090
    case $gwms_key in
    ADD_CONFIG_LINE_SOURCE | GET_ID_SELECTORS_SOURCE | LOGGING_UTILS_SOURCE | B64UUENCODE_SOURCE | GLIDEIN_PATHS_SOURCE) . "$gwms_path" ;;
    esac
done < "${glidein_config:?}"
unset gwms_key gwms_path
# shellcheck disable=SC2034  # for who sources this
gconfig_get_to error_gen ERROR_GEN_PATH
# shellcheck disable=SC2034  # add_condor_vars_line writes there
gconfig_get_to condor_vars_file CONDOR_VARS_FILE
