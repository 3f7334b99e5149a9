#!/bin/bash
# Credentials of the pilot: tokens from the start directory, an X.509 proxy where there is one. Runs again while jobs
# run, so that what the batch system renews is taken over.
glidein_config=$1
# shellcheck disable=SC1090
. "$(grep '^ADD_CONFIG_LINE_SOURCE ' "$glidein_config" | cut -d ' ' -f 2-)"
error_gen=$(gconfig_get ERROR_GEN_PATH)
start_dir=$(gconfig_get GLIDEIN_START_DIR_ORIG)
work_dir=$(gconfig_get GLIDEIN_WORKSPACE_ORIG)
tokens=$work_dir/cred.d/idtokens
problem=""
umask 077

# Replaces only what changed, by rename: HTCondor may read it now.
take() {
    cmp -s "$1" "$2" && return 0
    cp "$1" "$2.new" && chmod "$3" "$2.new" && mv -f "$2.new" "$2"
}

# The `exp` claim of a token, empty without one.
expiry() {
    local payload
    payload=$(cut -d . -f 2 "$1" | tr -d '\n' | tr -- '-_' '+/')
    while [ $((${#payload} % 4)) != 0 ]; do payload+="="; done
    [[ $(base64 -d 2> /dev/null <<< "$payload") =~ \"exp\":\ *([0-9]+) ]] && echo "${BASH_REMATCH[1]}"
}

# A token that replaced a shorter one gives the slots their time back, up to what was planned (condor_lifetime.source).
move_end() {
    local name planned
    [ "${GLIDEIN_PERIODIC_SCRIPT:-}" = true ] && [ -n "$1" ] || return 0
    for name in Retire Die; do
        planned=$(gconfig_get "GLIDEIN_Planned_$name")
        [ -n "$planned" ] || return 0
        [ "$planned" -le $(($1 - 300)) ] || planned=$(($1 - 300))
        echo "GLIDEIN_To$name = $planned"
        [ "$name" != Die ] || echo "GLIDEIN_Expire = $planned"
    done
}

mkdir -p "$tokens"
token="" count=0
for file in "$start_dir"/*.idtoken; do
    [ -s "$file" ] || continue
    take "$file" "$tokens/${file##*/}" 0600 || problem="cannot copy ${file##*/}"
    if [[ ${file##*/} == credential_* ]]; then
        token=$tokens/${file##*/}
        count=$((count + 1))
    fi
done
if [ "$count" = 1 ]; then
    ends=$(expiry "$token")
    if [ -n "$ends" ] && [ "$ends" -le "$(printf '%(%s)T' -1)" ]; then
        problem="the pilot's token has expired"
        token=""
    else
        add_config_line_safe GLIDEIN_CONDOR_TOKEN "$token"
        add_config_line_safe GLIDEIN_CONDOR_TOKEN_ORIG "$start_dir/${token##*/}"
        add_config_line_safe GLIDEIN_CONDOR_TOKEN_EXPIRE "$ends"
        move_end "$ends"
    fi
else
    problem="there are $count files credential_*.idtoken, not one"
    token=""
fi

proxy=""
if [ -n "${X509_USER_PROXY:-}" ] && [ -s "$X509_USER_PROXY" ]; then
    proxy=$work_dir/cred.d/myproxy
    take "$X509_USER_PROXY" "$proxy" 0400
    if openssl x509 -in "$proxy" -noout -checkend 60 > /dev/null 2>&1; then
        add_config_line_safe X509_USER_PROXY "$proxy"
        ends=$(openssl x509 -in "$proxy" -noout -enddate | cut -d = -f 2)
        add_config_line_safe X509_EXPIRE "$(date -d "$ends" +%s)"
    else
        problem+="; the proxy is expired or no certificate"
        proxy=""
    fi
fi
if [ -z "$token" ] && [ -z "$proxy" ]; then
    "$error_gen" -error setup_x509.sh WN_Resource "no usable credential in $start_dir: $problem"
    exit 1
fi

domain=$(gconfig_get TRUST_DOMAIN)
if [ -z "$domain" ]; then
    collectors=$(gconfig_get GLIDEIN_Collector)
    [ -n "$collectors" ] || collectors=$(gconfig_get CCB_ADDRESS)
    read -r domain _ <<< "${collectors//,/ }"
    add_config_line_safe TRUST_DOMAIN "${domain/\$RANDOM_INTEGER(*)/RANDOM}"
fi
"$error_gen" -ok setup_x509.sh idtoken "${token:-unavailable}" trust_domain "$domain" proxy "${proxy:-unavailable}"
