#!/usr/bin/env bash
# Is nearside as fast and small as it promises to be?
#
#     bash bench/speed.sh [RUNS]
#
# Whole processes: hyperfine, or a loop where that is not installed; the median of RUNS (50).
# Memory: GNU time. Planner: the times that its example `speed` prints. Prints a table of targets
# and keeps it in bench/results/speed.md; exit code 1 when a target is missed.

set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C

runs=${1:-50}
warmup=5
planner_runs=5
target=${CARGO_TARGET_DIR:-target}/release
nearside=$target/nearside
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT
mkdir "$scratch/config"
export NEARSIDE_CONFIG_DIR=$scratch/config # nobody's settings

fit="fit llama-3.1-8b --on rtx-4090"
plan="plan examples/support-assistant"
# The first two that the planner's example prints.
instances=("chain, 1000 stages x 300 locations" "width 2, 200 stages x 100 locations")
rows=()
missed=0

# row WHAT TARGET MEASURED UNIT: one line of the table; MEASURED is empty when that was impossible.
row() {
    local measured="not measured" ok=-
    if [ -n "$3" ]; then
        measured="$3 $4"
        ok=$(awk -v measured="$3" -v target="$2" 'BEGIN { print measured < target ? "yes" : "NO" }')
    fi
    [ "$ok" != NO ] || missed=1
    rows+=("| $1 | < $2 $4 | $measured | $ok |")
}

# median_ms ARGUMENTS: of a whole process, start to end.
median_ms() {
    if command -v hyperfine >"$scratch/where"; then
        hyperfine --shell=none --warmup "$warmup" --runs "$runs" --style none \
            --export-csv "$scratch/times.csv" "$nearside $1" >"$scratch/log" 2>&1
        awk -F, 'NR == 2 { printf "%.2f", $4 * 1000 }' "$scratch/times.csv"
        return
    fi
    local run start
    for ((run = -warmup; run < runs; run++)); do
        start=$(date +%s%N)
        # shellcheck disable=SC2086 # the words of a command line
        "$nearside" $1 >"$scratch/out" 2>&1
        ((run < 0)) || echo $(($(date +%s%N) - start))
    done | sort -n | awk '{ all[NR] = $1 } END { printf "%.2f", all[int((NR + 1) / 2)] / 1e6 }'
}

# peak_mb ARGUMENTS: the most memory that a process held.
peak_mb() {
    [ -x /usr/bin/time ] || return 0
    # shellcheck disable=SC2086
    /usr/bin/time -v "$nearside" $1 2>&1 >"$scratch/out" |
        awk -F': ' '/Maximum resident set size/ { printf "%.1f", $2 * 1024 / 1e6 }'
}

# measure_planner: the first lines of its example `speed`, several times over. The example goes on to
# other, longer instances that have no target: it is stopped there.
measure_planner() {
    local run example lines
    for ((run = 0; run < planner_runs; run++)); do
        lines=$scratch/planner.$run
        : >"$lines" # there before it is looked at
        "$target/examples/speed" >"$lines" 2>"$scratch/log" &
        example=$!
        while [ "$(wc -l <"$lines")" -lt "${#instances[@]}" ]; do
            kill -0 "$example" 2>"$scratch/gone" || {
                cat "$scratch/log" >&2
                exit 2
            }
            sleep 0.05
        done
        { kill "$example" && wait "$example"; } 2>"$scratch/gone" || true
    done
}

# planner_ms START: the median of the times in the lines that start so.
planner_ms() {
    awk -v start="$1" 'index($0, start) == 1 {
        rest = substr($0, length(start) + 1)
        match(rest, /[0-9.]+(ns|µs|ms|s) /)
        time = substr(rest, RSTART, RLENGTH - 1)
        print time * (time ~ /ms$/ ? 1 : time ~ /µs$/ ? 1e-3 : time ~ /ns$/ ? 1e-6 : 1e3)
    }' "$scratch"/planner.* | sort -n |
        awk '{ all[NR] = $1 } END { if (NR) printf "%.0f", all[int((NR + 1) / 2)] }'
}

cargo build --release --quiet -p nearside
cargo build --release --quiet -p nearside-plan --example speed

for command in "$fit" "$plan"; do
    # shellcheck disable=SC2086
    "$nearside" $command >"$scratch/out" 2>"$scratch/log" || {
        cat "$scratch/log" >&2
        exit 2
    }
done
row "\`nearside $fit\`, whole process" 20 "$(median_ms "$fit")" ms
row "\`nearside $plan\`, whole process" 100 "$(median_ms "$plan")" ms
row "\`nearside $fit\`, peak memory" 200 "$(peak_mb "$fit")" MB
row "\`nearside $plan\`, peak memory" 200 "$(peak_mb "$plan")" MB

measure_planner
for instance in "${instances[@]}"; do
    row "planner: $instance" 1000 "$(planner_ms "$instance,")" ms
done

mkdir -p bench/results
{
    echo "# Speed of nearside"
    echo
    echo "$(date +%F), $("$nearside" --version), $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg)." \
        "Made by \`bash bench/speed.sh $runs\`; medians of $runs runs, planner of $planner_runs, memory once."
    echo
    echo "| what | target | measured | ok |"
    echo "|---|---|---|---|"
    printf '%s\n' "${rows[@]}"
} | tee bench/results/speed.md
exit "$missed"
