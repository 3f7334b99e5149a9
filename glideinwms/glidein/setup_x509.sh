#!/bin/bash
# Credentials of the pilot: tokens from the start directory, an X.509 proxy where there is one. Runs again while jobs
# run, so that what the batch system renews is taken over.
# shellcheck disable=SC1090,SC2154  # gconfig_get_to sets variables by name

glidein_config=$1
while read -r key path; do [ "$key" = ADD_CONFIG_LINE_SOURCE ] && . "$path" && break; done < "$glidein_config"
gconfig_get_to error_gen ERROR_GEN_PATH
gconfig_get_to start_dir GLIDEIN_START_DIR_ORIG
gconfig_get_to work_dir GLIDEIN_WORKSPACE_ORIG
tokens=$work_dir/cred.d/idtokens
problem=""
umask 077

# Replaces only what changed, by rename: HTCondor may read it now.
take() {
    cmp -s "$1" "$2" && return 0
    cp "$1" "$2.new" && chmod "$3" "$2.new" && mv -f "$2.new" "$2"
}

# The `exp` claim of a token in `ends`, empty without one.
expiry() {
    local payload
    ends=""
    IFS=. read -r _ payload _ < "$1"
    payload=${payload//-/+}
    payload=${payload//_//}
    while [ $((${#payload} % 4)) != 0 ]; do payload+="="; done
    [[ $(base64 -d 2> /dev/null <<< "$payload") =~ \"exp\":\ *([0-9]+) ]] && ends=${BASH_REMATCH[1]}
}

# A token that replaced a shorter one gives the slots their time back, up to what was planned (condor_lifetime.source).
move_end() {
    local name planned
    [ "${GLIDEIN_PERIODIC_SCRIPT:-}" = true ] && [ -n "$1" ] || return 0
    for name in Retire Die; do
        gconfig_get_to planned "GLIDEIN_Planned_$name"
        [ -n "$planned" ] || return 0
        [ "$planned" -le $(($1 - 300)) ] || planned=$(($1 - 300))
        echo "GLIDEIN_To$name = $planned"
        [ "$name" != Die ] || echo "GLIDEIN_Expire = $planned"
    done
}

# keep KEY VALUE: in the configuration, under its lock where other scripts run beside.
keep() {
    local old
    gconfig_get_to old "$1"
    if [ -z "${GLIDEIN_PERIODIC_SCRIPT:-}" ]; then
        add_config_line "$1" "$2"
    elif [ "$old" != "$2" ]; then
        add_config_line_safe "$1" "$2"
    fi
}

# The directory of certificate authorities, where the site has one.
keep_authorities() {
    local place
    for place in "${X509_CERT_DIR:-}" "${HOME:-}/.globus/certificates" /etc/grid-security/certificates "${X509_CADIR:-}"; do
        if [ -n "$place" ] && [ -d "$place" ]; then
            keep X509_CERT_DIR "$place"
            return
        fi
    done
}

[ -d "$tokens" ] || mkdir -p "$tokens"
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
    expiry "$token"
    printf -v now '%(%s)T' -1
    if [ -n "$ends" ] && [ "$ends" -le "$now" ]; then
        problem="the pilot's token expired $((now - ends)) s ago, by the clock of this node: $(date)"
        token=""
    else
        keep GLIDEIN_CONDOR_TOKEN "$token"
        keep GLIDEIN_CONDOR_TOKEN_ORIG "$start_dir/${token##*/}"
        keep GLIDEIN_CONDOR_TOKEN_EXPIRE "$ends"
        move_end "$ends"
    fi
else
    problem="there are $count files credential_*.idtoken, not one"
    token=""
fi

# HTCondor's environment does not have the proxy's path.
given=${X509_USER_PROXY:-}
[ "${GLIDEIN_PERIODIC_SCRIPT:-}" != true ] || gconfig_get_to given X509_USER_PROXY_ORIG
proxy=""
if [ -n "$given" ] && [ -s "$given" ]; then
    proxy=$work_dir/cred.d/myproxy
    take "$given" "$proxy" 0400
    if openssl x509 -in "$proxy" -noout -checkend 60 > /dev/null 2>&1; then
        keep X509_USER_PROXY "$proxy"
        keep X509_USER_PROXY_ORIG "$given"
        ends=$(openssl x509 -in "$proxy" -noout -enddate | cut -d = -f 2)
        keep X509_EXPIRE "$(date -d "$ends" +%s)"
        keep_authorities
    else
        problem+="; the proxy is expired or no certificate"
        proxy=""
    fi
fi
if [ -z "$token" ] && [ -z "$proxy" ]; then
    "$error_gen" -error setup_x509.sh WN_Resource "no usable credential in $start_dir: $problem"
    exit 1
fi

gconfig_get_to domain TRUST_DOMAIN
if [ -z "$domain" ]; then
    gconfig_get_to collectors GLIDEIN_Collector
    [ -n "$collectors" ] || gconfig_get_to collectors CCB_ADDRESS
    while [[ $collectors =~ ^(.*)\$RANDOM_INTEGER\([0-9]+,\ *[0-9]+\)(.*)$ ]]; do
        collectors=${BASH_REMATCH[1]}RANDOM${BASH_REMATCH[2]}
    done
    collectors=${collectors//,/ }
    read -ra words <<< "$collectors"
    domain=${words[0]:-}
    keep TRUST_DOMAIN "$domain"
fi
exec "$error_gen" -ok setup_x509.sh idtoken "${token:-unavailable}" trust_domain "$domain" proxy "${proxy:-unavailable}"
