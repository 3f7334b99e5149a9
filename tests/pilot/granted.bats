# What the batch system grants on this host is what the pilot offers; numbers that are none. Environments as they were
# recorded on sites, with this host's name in place of theirs.

load common

GLIDEIN=$BATS_TEST_DIRNAME/../../glideinwms/glidein

# node CORES MB: a node with so much, without limits; its files below $NODE_ROOT.
node() {
    top=$BATS_TEST_TMPDIR/top
    export NODE_ROOT=$top/root
    here=$(uname -n)
    rm -rf "$NODE_ROOT"
    mkdir -p "$NODE_ROOT"/{proc/self,sys/devices/system/cpu,sys/fs/cgroup/batch/job/step}
    cp "$GLIDEIN/error_gen.sh" "$top/" && chmod +x "$top/error_gen.sh"
    echo "0-$(($1 - 1))" > "$NODE_ROOT/sys/devices/system/cpu/online"
    printf 'MemTotal:  %s kB\nMemFree: 1 kB\n' $(($2 * 1024 + 7)) > "$NODE_ROOT/proc/meminfo"
    printf 'Name:\tbash\nCpus_allowed:\tff\nCpus_allowed_list:\t0-%s\n' $(($1 - 1)) > "$NODE_ROOT/proc/self/status"
    printf 'Max address space         unlimited            unlimited            bytes\n' > "$NODE_ROOT/proc/self/limits"
    echo "0::/batch/job/step" > "$NODE_ROOT/proc/self/cgroup"
    config
}

# config LINE...
config() {
    printf '%s\n' "ADD_CONFIG_LINE_SOURCE $GLIDEIN/add_config_line.source" "ERROR_GEN_PATH $top/error_gen.sh" "$@" > "$top/config"
    cd "$top"
}

# script NAME [VARIABLE=VALUE...]: runs it as the pilot does.
script() {
    run env -i PATH=/usr/bin:/bin NODE_ROOT="$NODE_ROOT" "${@:2}" bash "$GLIDEIN/$1" config main
}

# offers KEY VALUE
offers() {
    [ "$status" = 0 ] || { echo "$output" && cat otrb_output.xml && return 1; }
    [ "$(sed -n "s/^$1 //p" config | tail -n 1)" = "$2" ] || { echo "$output" && cat config && return 1; }
}

# auto CORES [VARIABLE=VALUE...]: GLIDEIN_CPUS auto gives so many cores.
auto() {
    config "GLIDEIN_CPUS auto"
    script glidein_cpus_setup.sh "${@:2}"
    offers GLIDEIN_CPUS "$1"
}

@test "cores of Slurm: this node's of several, and of a step's tasks" {
    node 64 100000
    auto 6 SLURM_JOB_ID=1 SLURM_CPUS_ON_NODE=6 SLURM_JOB_CPUS_PER_NODE='4(x2),6' SLURM_NODEID=2
    auto 4 SLURM_JOB_ID=1 SLURM_JOB_CPUS_PER_NODE='4(x2),2'
    auto 4 SLURM_JOB_ID=1 SLURM_JOB_CPUS_PER_NODE='4(x2),2' SLURM_NODEID=1
    auto 2 SLURM_JOB_ID=1 SLURM_JOB_CPUS_PER_NODE='4(x2),2' SLURM_NODEID=2
    auto 2 SLURM_JOB_ID=1 SLURM_CPUS_ON_NODE='4(x2),2' SLURM_NODEID=2
    # srun starts four pilots on this node
    auto 8 SLURM_JOB_ID=1 SLURM_CPUS_ON_NODE=32 SLURM_STEP_ID=0 SLURM_STEP_TASKS_PER_NODE='4(x2)' SLURM_NODEID=1
    auto 3 SLURM_JOB_ID=1 SLURM_CPUS_ON_NODE=32 SLURM_STEP_TASKS_PER_NODE=4 SLURM_CPUS_PER_TASK=3
    # the batch step is one pilot, however many tasks the job has
    auto 32 SLURM_JOB_ID=1 SLURM_CPUS_ON_NODE=32 SLURM_TASKS_PER_NODE=32 SLURM_CPUS_PER_TASK=1
    # words that are no numbers
    auto 64 SLURM_JOB_ID=1 SLURM_CPUS_ON_NODE=many
}

@test "cores of PBS and Torque: the lines of this host, the number of PBS Pro" {
    node 64 100000
    printf '%s\n' other "$here" "$here.example.org" other "$here" > nodefile
    auto 3 PBS_JOBID=1 PBS_NUM_PPN=8 PBS_NODEFILE="$top/nodefile"
    auto 8 PBS_JOBID=1 PBS_NUM_PPN=8
    auto 8 PBS_JOBID=1 PBS_NUM_PPN=8 PBS_NODEFILE="$top/nowhere"
    echo "$here" > nodefile
    auto 12 PBS_JOBID=1 NCPUS=12 PBS_NODEFILE="$top/nodefile"
    auto 1 PBS_JOBID=1 PBS_NODEFILE="$top/nodefile"
}

@test "cores of LSF: this host's of several" {
    node 64 100000
    auto 5 LSB_JOBID=1 LSB_MCPU_HOSTS="other 3 $here 5" LSB_DJOB_NUMPROC=8
    auto 8 LSB_JOBID=1 LSB_MCPU_HOSTS="$here.example.org 8" LSB_DJOB_NUMPROC=8
    auto 2 LSB_JOBID=1 LSB_HOSTS="other $here $here" LSB_DJOB_NUMPROC=3
    auto 8 LSB_JOBID=1 LSB_DJOB_NUMPROC=8
    # several hosts, none of which is known as this one: the sum is not ours
    auto 64 LSB_JOBID=1 LSB_MCPU_HOSTS="a 30 b 50" LSB_DJOB_NUMPROC=80
}

@test "cores of SGE: this host's of several" {
    node 64 100000
    printf '%s\n' "other.example.org 9 all.q@other UNDEFINED" "$here.example.org 7 all.q@here UNDEFINED" > hosts
    auto 7 JOB_ID=1 QUEUE=all.q NSLOTS=16 NHOSTS=2 PE_HOSTFILE="$top/hosts"
    auto 4 JOB_ID=1 QUEUE=all.q NSLOTS=4
    auto 64 JOB_ID=1 QUEUE=all.q NSLOTS=99 NHOSTS=3
}

@test "cores of HTCondor's slot, and of machine and job features" {
    node 64 100000
    printf 'TotalCpus = 64\nCpus = 6\nMemory = 7000\n' > ad
    auto 6 _CONDOR_MACHINE_AD="$top/ad" SLURM_CPUS_ON_NODE=12
    config "GLIDEIN_CPUS slot" "MJF_JOB_allocated_cpu 9"
    script glidein_cpus_setup.sh
    offers GLIDEIN_CPUS 9
}

@test "cores by binding and control groups: never more than these allow" {
    node 64 100000
    auto 64
    auto 64 OMP_NUM_THREADS=2 OMP_THREAD_LIMIT=3
    printf 'Cpus_allowed_list:\t0-3,8,10-11\n' > "$NODE_ROOT/proc/self/status"
    auto 7
    auto 7 SLURM_CPUS_ON_NODE=16
    auto 2 SLURM_CPUS_ON_NODE=2
    echo "max 100000" > "$NODE_ROOT/sys/fs/cgroup/batch/job/step/cpu.max"
    auto 7
    echo "550000 100000" > "$NODE_ROOT/sys/fs/cgroup/batch/job/cpu.max"
    auto 5
    echo "50000 100000" > "$NODE_ROOT/sys/fs/cgroup/batch/cpu.max"
    auto 1
    # version 1
    printf '%s\n' '5:memory:/m' '4:cpu,cpuacct:/batch/job' '1:name=systemd:/x' > "$NODE_ROOT/proc/self/cgroup"
    mkdir -p "$NODE_ROOT/sys/fs/cgroup/cpu,cpuacct/batch/job"
    echo -1 > "$NODE_ROOT/sys/fs/cgroup/cpu,cpuacct/batch/job/cpu.cfs_quota_us"
    echo 100000 > "$NODE_ROOT/sys/fs/cgroup/cpu,cpuacct/batch/job/cpu.cfs_period_us"
    auto 7
    echo 300000 > "$NODE_ROOT/sys/fs/cgroup/cpu,cpuacct/batch/job/cpu.cfs_quota_us"
    auto 3
    # a site that gives more than the node has knows why
    node 4 100000
    auto 16 SLURM_CPUS_ON_NODE=16
}

@test "GLIDEIN_CPUS: numbers, the node, and words that are none" {
    local row
    node 12 100000
    for row in "=1" "8=8" " 8 =8" "08=8" "node=12" "0=12" "Node=12"; do
        config "GLIDEIN_CPUS ${row%=*}"
        script glidein_cpus_setup.sh
        offers GLIDEIN_CPUS "${row#*=}"
    done
    for row in two 2.5 -2 1e3 99999999999999999999 "4 4" '$(id)'; do
        config "GLIDEIN_CPUS $row"
        script glidein_cpus_setup.sh
        [ "$status" = 1 ]
        grep -qF "GLIDEIN_CPUS $row is neither a number nor" otrb_output.xml && grep -q '>Config<' otrb_output.xml
    done
}

@test "overload: a factor changes the numbers, what is no number above 0 changes nothing and is said" {
    local factor
    node 12 100000
    config "GLIDEIN_CPUS 2" "GLIDEIN_MaxMemMBs 4000" "GLIDEIN_OVERLOAD_ENABLED True" "GLIDEIN_OVERLOAD_CPUS 1.75" \
        "GLIDEIN_OVERLOAD_MEMORY .5"
    script glidein_cpus_setup.sh
    offers GLIDEIN_CPUS 4
    script glidein_memory_setup.sh
    offers GLIDEIN_MEMORY_MB 2000
    for factor in 150% abc 1,5 -2 0 0.0 1e3 "1.5 x" "2;id"; do
        config "GLIDEIN_CPUS 2" "GLIDEIN_MaxMemMBs 4000" "GLIDEIN_OVERLOAD_ENABLED True" "GLIDEIN_OVERLOAD_CPUS $factor" \
            "GLIDEIN_OVERLOAD_MEMORY $factor"
        script glidein_cpus_setup.sh LC_ALL=de_DE.UTF-8
        offers GLIDEIN_CPUS 2
        [[ $output == *"GLIDEIN_OVERLOAD_CPUS '$factor' is not a number above 0"* ]]
        script glidein_memory_setup.sh
        offers GLIDEIN_MEMORY_MB 4000
        [[ $output == *"GLIDEIN_OVERLOAD_MEMORY '$factor' is not a number above 0"* ]]
    done
    config "GLIDEIN_CPUS 2" "GLIDEIN_OVERLOAD_CPUS 3"
    script glidein_cpus_setup.sh
    offers GLIDEIN_CPUS 2
}

# memory MB LINE... -- VARIABLE=VALUE...
memory() {
    local wanted=$1 lines=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        lines+=("$1")
        shift
    done
    config "${lines[@]}"
    script glidein_memory_setup.sh "${@:2}"
    offers GLIDEIN_MEMORY_MB "$wanted"
}

@test "memory: an estimate is the share of the node's that the pilot's cores have" {
    node 2 24105
    memory 12052 "GLIDEIN_MaxMemMBs_Estimate True"
    memory 24105 "GLIDEIN_MaxMemMBs_Estimate True" "GLIDEIN_CPUS 2"
    memory 24105 "GLIDEIN_MaxMemMBs_Estimate True" "GLIDEIN_CPUS 4"
    memory 24105 "GLIDEIN_MaxMemMBs_Estimate True" "GLIDEIN_CPUS node"
    memory 12052 "GLIDEIN_MaxMemMBs_Estimate True" "GLIDEIN_CPUS auto" -- SLURM_CPUS_ON_NODE=1
    memory "" "GLIDEIN_MaxMemMBs_Estimate False"
}

@test "memory: what the batch system grants, and never more than control groups and limits allow" {
    node 16 64000
    memory 7000 -- SLURM_JOB_ID=1 SLURM_MEM_PER_NODE=7000
    memory 6144 -- SLURM_JOB_ID=1 SLURM_MEM_PER_NODE=6G
    memory 8000 -- SLURM_JOB_ID=1 SLURM_MEM_PER_CPU=2000 SLURM_CPUS_ON_NODE=4
    memory 2000 -- SLURM_JOB_ID=1 SLURM_MEM_PER_NODE=8000 SLURM_STEP_TASKS_PER_NODE=4
    memory "" -- SLURM_JOB_ID=1 SLURM_MEM_PER_NODE=0
    printf 'Memory = 5000\nTotalMemory = 64000\n' > ad
    memory 5000 -- _CONDOR_MACHINE_AD="$top/ad"
    memory 1000 "MJF_JOB_max_rss_bytes 1048576000"
    echo 3145728000 > "$NODE_ROOT/sys/fs/cgroup/batch/job/memory.max"
    echo max > "$NODE_ROOT/sys/fs/cgroup/batch/job/step/memory.max"
    memory 3000 -- SLURM_JOB_ID=1 SLURM_MEM_PER_NODE=7000
    memory 3000
    memory 3000 "GLIDEIN_MaxMemMBs_Estimate True"
    memory 2000 -- SLURM_JOB_ID=1 SLURM_MEM_PER_NODE=2000
    # version 1, where no limit is a large number
    printf '5:memory:/job\n' > "$NODE_ROOT/proc/self/cgroup"
    mkdir -p "$NODE_ROOT/sys/fs/cgroup/memory/job"
    echo 9223372036854771712 > "$NODE_ROOT/sys/fs/cgroup/memory/job/memory.limit_in_bytes"
    memory ""
    echo 2097152000 > "$NODE_ROOT/sys/fs/cgroup/memory/job/memory.limit_in_bytes"
    memory 2000
    rm "$NODE_ROOT/sys/fs/cgroup/memory/job/memory.limit_in_bytes"
    printf 'Max address space         1048576000           1048576000           bytes\n' > "$NODE_ROOT/proc/self/limits"
    memory 1000
}

@test "memory: GLIDEIN_MaxMemMBs counts as it is, and is a number above 0" {
    local value
    node 16 64000
    memory 4000 "GLIDEIN_MaxMemMBs 4000" -- SLURM_MEM_PER_NODE=2000
    memory 900 "GLIDEIN_MaxMemMBs  0900 "
    for value in 0 -1 2G 2.5 two 99999999999999999999; do
        config "GLIDEIN_MaxMemMBs $value"
        script glidein_memory_setup.sh
        [ "$status" = 1 ]
        grep -qF "GLIDEIN_MaxMemMBs $value is not a number of MB above 0" otrb_output.xml && grep -q '>Config<' otrb_output.xml
    done
}

@test "on this node, the scripts agree with its own commands" {
    top=$BATS_TEST_TMPDIR/top
    mkdir -p "$top"
    cp "$GLIDEIN/error_gen.sh" "$top/" && chmod +x "$top/error_gen.sh"
    config "GLIDEIN_CPUS node"
    run env -i PATH=/usr/bin:/bin bash "$GLIDEIN/glidein_cpus_setup.sh" config main
    offers GLIDEIN_CPUS "$(nproc --all)"
    config "GLIDEIN_CPUS auto"
    run env -i PATH=/usr/bin:/bin taskset -c 0 bash "$GLIDEIN/glidein_cpus_setup.sh" config main
    offers GLIDEIN_CPUS 1
}
