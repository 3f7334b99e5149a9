# Directories that other pilots left behind: what a pilot removes, and what it does not touch.

load common

GLIDEIN=$BATS_TEST_DIRNAME/../../glideinwms/glidein
boot=$(< /proc/sys/kernel/random/boot_id)
space=$boot/$(readlink /proc/self/ns/pid)
uuid=01234567-89ab-cdef-0123-456789abcdef

# left NAME SPACE: a directory of a pilot whose process is not here.
left() {
    mkdir -p "$home/$1/execute/job"
    echo "3999999 $uuid $2" > "$home/$1/.owner"
    touch "$home/$1/execute/job/result"
}

@test "what a dead pilot of this boot left is removed" {
    left glide_dead "$space"
    left tmp/glide_x_dead "$space"
    pilot
    [ "$status" = 0 ]
    nothing_left
}

@test "what another machine of the same name, or another boot, wrote stays" {
    left glide_name "$(uname -n)/$(readlink /proc/self/ns/pid)"
    left glide_boot "00000000-0000-0000-0000-000000000000/$(readlink /proc/self/ns/pid)"
    left glide_space "$boot/pid:[1]"
    left glide_nothing ""
    left glide_odd "$space"
    echo "3999999 x $space" > "$home/glide_odd/.owner"
    pilot
    [ "$status" = 0 ]
    local name
    for name in name boot space nothing odd; do
        [ -e "$home/glide_$name/execute/job/result" ] || { echo "$name is gone" && false; }
    done
}

@test "links are not followed: to a directory, to a file that says who wrote it" {
    mkdir "$home/precious"
    touch "$home/precious/file"
    echo "3999999 $uuid $space" > "$home/precious/.owner"
    ln -s "$home/precious" "$home/glide_link"
    left glide_owner "$space"
    mv "$home/glide_owner/.owner" "$home/elsewhere"
    ln -s "$home/elsewhere" "$home/glide_owner/.owner"
    pilot
    [ "$status" = 0 ]
    [ -e "$home/precious/file" ] && [ -e "$home/precious/.owner" ]
    [ -e "$home/glide_owner/execute/job/result" ]
}

@test "a directory that is exchanged between the look and the removal is not followed" {
    local when
    for when in enter end_marked; do
        rm -rf "$home/glide_x" "$home/away"
        left glide_x "$space"
        mkdir -p "$home/precious"
        touch "$home/precious/file"
        cp "$home/glide_x/.owner" "$home/precious/"
        # shellcheck disable=SC2016
        run bash -c '
            . "$1/add_config_line.source"
            . "$1/glidein_ending.source"
            work_top=$2/glide_mine local_tmp=$2/tmp/glide_mine pid_space=$3
            eval "real_$(declare -f "$4")"
            eval "$4() { mv \"$2/glide_x\" \"$2/away\"; ln -s \"$2/precious\" \"$2/glide_x\"; real_$4 \"\$@\"; }"
            remove_strangers' - "$GLIDEIN" "$home" "$space" "$when"
        [ -e "$home/precious/file" ] && [ -e "$home/precious/.owner" ] || { echo "$when: $output" && false; }
    done
}

@test "of another account nothing is removed, whatever it says" {
    [ "$(id -u)" = 0 ] || skip "needs root"
    left glide_other "$space"
    chown -R 64001 "$home/glide_other"
    pilot
    [ "$status" = 0 ]
    [ -e "$home/glide_other/execute/job/result" ]
}
