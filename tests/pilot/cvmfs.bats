# CVMFS: detection, mounting by a distribution, policies, a clean end (contract 5). The distribution is a mock that mounts
# a real FUSE file system, in a user and mount namespace of the pilot's own.

load common

GLIDEIN=$BATS_TEST_DIRNAME/../../glideinwms/glidein

setup_file() {
    local found status=0
    found=$(cd "$REPO" && python -m tests.support.fuse) || status=$?
    case $status in
    0) read -r BINDFS BINDFS_LIBRARIES <<< "$found" ;;
    3) export NO_FUSE="$found" ;;
    *) return 1 ;;
    esac
    export BINDFS BINDFS_LIBRARIES
}

# wants POLICY: a pilot of an entry that asks for CVMFS.
wants() {
    [ -z "${NO_FUSE:-}" ] || skip "$NO_FUSE"
    cp -r "$BATS_TEST_DIRNAME/mock/cvmfsexec" "$home/dist"
    words+=(-param_GLIDEIN_USE_CVMFSEXEC 1 -param_CVMFSEXEC_DIR "$(sed 's/\./.dot,/g' <<< "$home/dist")" -param_CVMFS_SRC osg
        -param_GLIDEIN_CVMFS "$1" -param_GLIDEIN_CVMFS_REPOS atlas.dot,cern.dot,ch.colon,cms.dot,cern.dot,ch)
    pilot_env+=(BINDFS="$BINDFS" BINDFS_LIBRARIES="$BINDFS_LIBRARIES")
}

# The pilot as root of a namespace; what is still mounted at its end is in mounts.left.
namespaced() {
    status=0
    # shellcheck disable=SC2016
    (cd "$home" && exec env -i "${pilot_env[@]}" unshare -rm timeout 150 bash -c '
        bash "$@"
        status=$?
        grep " fuse" /proc/mounts > "$EVIDENCE/mounts.left"
        exit "$status"' - "$STAGE/good/glidein_startup.sh" "${words[@]}") \
        > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" 3>&- || status=$?
}

# killed WHAT: the same, but once HTCondor runs, its main shell (`shell`) or all of it (`all`) is killed, or ended (`term`); after `all`, a
# second pilot comes. The last 30 s are for what cleans up.
killed() {
    # shellcheck disable=SC2016
    (cd "$home" && exec env -i "${pilot_env[@]}" WHAT="$1" STUB_MASTER_TIME=300 unshare -rm timeout 150 bash -c '
        bash "$@" &
        pilot=$!
        for ((n = 0; n < 600; n++)); do
            [ ! -s "$EVIDENCE/condor_config" ] || break
            sleep 0.1
        done
        uuid=$(sed -n "s/^GLIDEIN_UUID //p" "$EVIDENCE/glidein_config")
        if [ "$WHAT" = term ]; then
            kill -TERM "$pilot"
            wait "$pilot"
        else
            kill -KILL "$pilot"
        fi
        while [ "$WHAT" = all ]; do
            found=$(env -u GLIDEIN_UUID grep -lzxF "GLIDEIN_UUID=$uuid" /proc/[0-9]*/environ 2> /dev/null)
            [ -n "$found" ] || break
            for pid in $found; do
                pid=${pid#/proc/}
                kill -KILL "${pid%/environ}"
            done
        done
        cp /proc/mounts "$EVIDENCE/mounts.killed"
        if [ "$WHAT" = all ]; then
            STUB_MASTER_TIME=0.1 bash "$@" -param_GLIDEIN_CVMFS never
        else
            for ((n = 0; n < 300; n++)); do
                compgen -G "glide_*" > /dev/null || compgen -G "tmp/glide_*" > /dev/null || break
                sleep 0.1
            done
        fi
        grep " fuse" /proc/mounts > "$EVIDENCE/mounts.left"
        true' - "$STAGE/good/glidein_startup.sh" "${words[@]}") \
        > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" 3>&-
}

none_left() {
    ! grep -F "$home" "$EVIDENCE/mounts.left" || return 1 || false
    nothing_left
}

@test "policies in any case, and nothing else" {
    . "$GLIDEIN/cvmfs_lib.sh"
    [ "$(cvmfs_policy REQUIRED)/$(cvmfs_policy Preferred)/$(cvmfs_policy optional)/$(cvmfs_policy NEVER)" = \
        required/preferred/optional/never ]
    [ "$(cvmfs_policy "")" = required ]
    ! cvmfs_policy sometimes || false
}

@test "repositories: the configuration's first, each once" {
    . "$GLIDEIN/cvmfs_lib.sh"
    [ "$(cvmfs_repos egi a.b:cms.cern.ch:a.b | tr '\n' ' ')" = \
        "config-egi.egi.eu singularity.opensciencegrid.org cms.cern.ch config-osg.opensciencegrid.org a.b " ]
    [ "$(cvmfs_repos default "" | head -n 1)" = cvmfs-config.cern.ch ]
    ! cvmfs_repos mine "" || false
}

@test "a site's own CVMFS is seen, by its marker or its content" {
    . "$GLIDEIN/cvmfs_lib.sh"
    mkdir -p "$home/c/oasis.opensciencegrid.org"
    ! cvmfs_is_there "$home/c" || false
    touch "$home/c/oasis.opensciencegrid.org/.cvmfsdirtab"
    cvmfs_is_there "$home/c"
    rm "$home/c/oasis.opensciencegrid.org/.cvmfsdirtab"
    touch "$home/c/oasis.opensciencegrid.org/x"
    cvmfs_is_there "$home/c"
}

@test "mount points are read from the kernel, blanks in them too" {
    . "$GLIDEIN/cvmfs_lib.sh"
    printf '%s\n' 'cvmfs2 /a\040b/cvmfs/cms.cern.ch fuse rw 0 0' 'x /p/cms.cern.ch ext4 rw 0 0' \
        'y /q/xcms.cern.ch fuse.cvmfs2 rw 0 0' > "$home/mounts"
    CVMFS_MOUNTS=$home/mounts
    [ "$(mount_of cms.cern.ch)" = "/a b/cvmfs/cms.cern.ch" ]
    [ -z "$(mount_of cern.ch)" ]
}

@test "user namespaces and fuse of the node" {
    . "$GLIDEIN/cvmfs_lib.sh"
    echo 0 > "$home/most"
    [ "$(CVMFS_MAX_NAMESPACES=$home/most user_namespaces)" = disabled ]
    [ "$(CVMFS_MAX_NAMESPACES=$home/no user_namespaces)" = unavailable ]
    echo x > "$home/most"
    [ "$(CVMFS_MAX_NAMESPACES=$home/most user_namespaces)" = error ]
    [[ $(CVMFS_FUSE_DEVICE=$home/no fuse_missing 1 enabled) == *"/dev/fuse is not there"* ]]
    [[ $(fuse_missing 3 disabled) == *"user namespaces are disabled"* ]]
    [ -z "$(CVMFS_FUSE_DEVICE=$home/most fuse_missing 3 enabled)" ]
}

@test "modes: mounts for all where that is possible, else namespaces; any by choice" {
    . "$GLIDEIN/cvmfs_lib.sh"
    id() { echo 1000; }
    has_fusermount() { false; }
    [ "$(cvmfs_mode "" enabled)$(cvmfs_mode auto disabled)$(cvmfs_mode 2 enabled)$(cvmfs_mode 1 enabled)" = 3121 ]
    ! cvmfs_mode 4 enabled || false
    has_fusermount() { true; }
    [ "$(cvmfs_mode auto enabled)" = 1 ]
}

@test "asked for, it is mounted for the pilot's life, told to containers, and unmounted" {
    wants REQUIRED
    namespaced
    [ "$status" = 0 ] || { tail -n 30 "$BATS_TEST_TMPDIR/err" && false; }
    grep -qx "CVMFS_MOUNT_DIR $home/dist/cvmfs" "$EVIDENCE/glidein_config"
    grep -qx "GLIDEIN_CVMFS_STATUS mounted" "$EVIDENCE/glidein_config"
    [ "$(grep -c '^mount ' "$EVIDENCE/cvmfsexec.log")" = 4 ]
    grep -q 'dist/cvmfs/atlas.cern.ch' "$EVIDENCE/glidein_config"
    none_left
}

@test "a pilot that fails later unmounts too, also when umountrepo does not" {
    wants required
    words+=(-param_GLIDEIN_Singularity_Use NEVER -param_GLIDEIN_SINGULARITY_REQUIRE REQUIRED)
    pilot_env+=(MOCK_UMOUNT_FAILS=1)
    namespaced
    [ "$status" = 1 ]
    grep -q '^umount -a' "$EVIDENCE/cvmfsexec.log"
    none_left
}

@test "a repository that cannot be mounted ends a REQUIRED pilot only, and half a mount is undone" {
    wants Required
    pilot_env+=(MOCK_MOUNT_FAILS=cms.cern.ch)
    namespaced
    [ "$status" = 1 ]
    says out "mountrepo cms.cern.ch failed"
    none_left
    local policy
    for policy in PREFERRED optional; do
        option -param_GLIDEIN_CVMFS "$policy"
        namespaced
        [ "$status" = 0 ]
        grep -qx "GLIDEIN_CVMFS_STATUS absent" "$EVIDENCE/glidein_config"
        ! grep -q '^CVMFS_MOUNT_DIR' "$EVIDENCE/glidein_config" || false
        none_left
    done
}

@test "NEVER mounts nothing; an unknown policy is refused" {
    wants Never
    namespaced
    [ "$status" = 0 ]
    [ ! -e "$EVIDENCE/cvmfsexec.log" ]
    grep -qx "GLIDEIN_CVMFS_STATUS absent" "$EVIDENCE/glidein_config"
    option -param_GLIDEIN_CVMFS sometimes
    namespaced
    [ "$status" = 1 ] || { echo "status $status" && tail -n 20 "$BATS_TEST_TMPDIR/err" && false; }
    says out "none of required, preferred, optional, never"
}

@test "KILL of the main shell: the reaper unmounts and removes" {
    wants required
    killed shell
    grep -q "$home/dist/cvmfs/cms.cern.ch fuse" "$EVIDENCE/mounts.killed"
    none_left
}

@test "KILL of everything: the next pilot unmounts and removes" {
    wants required
    killed all
    grep -q "$home/dist/cvmfs/cms.cern.ch fuse" "$EVIDENCE/mounts.killed"
    none_left
}

@test "nothing beyond a mount is ever removed" {
    unshare -rm true || skip "no user namespaces"
    local tree="$home/a tree"
    mkdir -p "$tree/deep/mount" "$home/precious" "$home/tools"
    touch "$home/precious/file"
    # shellcheck disable=SC2016
    run unshare -rm bash -c '
        . "$1/add_config_line.source"
        . "$1/glidein_ending.source"
        mount --bind "$2" "$3/deep/mount"
        mount --bind "$2" "$3/deep/mount"
        umount=$(command -v umount)
        # the pilot runs them through timeout, so they are programs on PATH, not functions
        PATH=$4:$PATH
        for tool in fusermount fusermount3 umount; do
            printf "#!/bin/sh\nexit 1\n" > "$4/$tool"
            chmod +x "$4/$tool"
        done
        remove_tree "$3" && exit 1
        [ -e "$3/deep/mount/file" ] || exit 2
        ln -sf "$umount" "$4/umount"
        exec 9< "$3/deep/mount/file"
        remove_tree "$3"' - "$GLIDEIN" "$home/precious" "$tree" "$home/tools"
    [ "$status" = 0 ] || { echo "$status $output" && false; }
    [[ $output == *"a tree stays: "*"deep/mount cannot be unmounted"* ]]
    [ -e "$home/precious/file" ]
    [ ! -e "$tree" ]
}

# in_namespace: the pilot asks for mode 3.
in_namespace() {
    wants "$1"
    words+=(-param_GLIDEIN_CVMFS_MODE 3)
}

@test "mode 3: the rest of the pilot is in namespaces where CVMFS is at /cvmfs, and nothing is left" {
    in_namespace required
    namespaced
    [ "$status" = 0 ] || { tail -n 30 "$BATS_TEST_TMPDIR/err" && false; }
    grep -qx "exec config-osg.opensciencegrid.org singularity.opensciencegrid.org cms.cern.ch atlas.cern.ch" "$EVIDENCE/cvmfsexec.log"
    grep -qx "GLIDEIN_CVMFS_STATUS namespace" "$EVIDENCE/glidein_config"
    [ "$(cat "$EVIDENCE/master.sees")" = cms.cern.ch ]
    [ "$(grep -c "=== Glidein ending .* with code 0 " "$BATS_TEST_TMPDIR/out")" = 1 ]
    none_left
}

@test "mode 3: TERM reaches the pilot inside, and its exit code comes out" {
    in_namespace required
    pilot_env+=(VO_FAIL=1 GLIDEIN_HOLD_DOWN=0)
    namespaced
    [ "$status" = 1 ]
    [ "$(grep -c "=== Glidein ending .* with code 1 " "$BATS_TEST_TMPDIR/out")" = 1 ]
    none_left
    unset 'pilot_env[-1]' 'pilot_env[-1]'
    killed term
    grep -q "stub got QUIT" "$BATS_TEST_TMPDIR/err"
    grep -q "=== Glidein ending .* with code 0 " "$BATS_TEST_TMPDIR/out"
    none_left
}

@test "mode 3: KILL of the first shell, and of everything" {
    in_namespace required
    killed shell
    says err "stub got QUIT"
    none_left
    rm -r "$EVIDENCE"
    mkdir "$EVIDENCE"
    killed all
    none_left
}

@test "mode 3: without it a REQUIRED pilot ends, a PREFERRED one goes on" {
    in_namespace required
    pilot_env+=(MOCK_MOUNT_FAILS=1)
    namespaced
    [ "$status" = 1 ]
    says out "ended with exit code 1 and ran nothing"
    none_left
    option -param_GLIDEIN_CVMFS preferred
    namespaced
    [ "$status" = 0 ] || { tail -n 30 "$BATS_TEST_TMPDIR/err" && false; }
    grep -qx "GLIDEIN_CVMFS_STATUS absent" "$EVIDENCE/glidein_config"
    [ ! -e "$EVIDENCE/master.sees" ]
    none_left
}
