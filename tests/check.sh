#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What `make check` runs: the tests as built by gcc, the same under address and undefined-behaviour sanitizers, a build by clang, and a
# small sweep under valgrind. Criterion forks its tests, so findings of a tool do not reach its exit code: tools write log
# files, and any that is not empty fails. The last line counts.
set -u
cd "$(dirname "$0")/.." || exit 1
: "${MAKE:=make}" "${BITSWEEP_SHARED:=../shared}"
BITSWEEP_SHARED=$(cd "$BITSWEEP_SHARED" 2>/dev/null && pwd || echo "$BITSWEEP_SHARED")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
BITSWEEP_SKIP_LOG=$work/skipped
export BITSWEEP_SHARED BITSWEEP_SKIP_LOG
: >"$BITSWEEP_SKIP_LOG"
passed=0 failed=0

step() { printf '\n== %s\n' "$1"; }

ok() { passed=$((passed + 1)); echo "passed: $1"; }
bad() { failed=$((failed + 1)); echo "FAILED: $1"; }

# build NAME MAKE-ARGUMENTS...: builds one target; a warning is an error.
build() {
    name=$1
    shift
    if $MAKE --no-print-directory -j2 "$@" >"$work/build.log" 2>&1; then ok "$name"; else tail -n 40 "$work/build.log"; bad "$name"; return 1; fi
}

# criterion PROGRAM: runs it and adds up its synthesis.
criterion() {
    BITSWEEP=$2 "$1" >"$work/tests.log" 2>&1
    grep -v '^\[SKIP\]\|^SKIPPED' "$work/tests.log" | tail -n 60
    line=$(grep -o 'Tested: [0-9]* | Passing: [0-9]* | Failing: [0-9]* | Crashing: [0-9]*' "$work/tests.log" | tail -n 1)
    if [ -z "$line" ]; then bad "$1 printed no synthesis"; return; fi
    # shellcheck disable=SC2046
    set -- $(echo "$line" | tr -cd '0-9 ')
    passed=$((passed + $2))
    failed=$((failed + $3 + $4))
    [ "$1" -gt 0 ] || bad "no test ran"
}

# tool_logs NAME PREFIX: fails when a tool wrote anything but that it could not stop a thread to look for leaks.
tool_logs() {
    find "$work" -name "$2*" -exec cat {} + | grep -v 'was not suspended. False leaks are possible' >"$work/findings"
    if [ -s "$work/findings" ]; then
        head -n 80 "$work/findings"
        bad "$1"
    else
        ok "$1"
    fi
}

step "gcc"
if build "gcc builds without warnings" CC=gcc program build/tests/run; then
    criterion build/tests/run build/bitsweep
fi

step "a smoke sweep from the command line"
if (cd "$work" && BITSWEEP="$OLDPWD/build/bitsweep" sh "$OLDPWD/bench/demo.sh" "$OLDPWD/bench/sweeps/smoke.yaml") >"$work/smoke.log" 2>&1; then
    ok "smoke"
else
    tail -n 20 "$work/smoke.log"
    bad "smoke"
fi

step "sanitizers"
if build "sanitized build" CC=gcc BUILD=build/sanitized SANITIZE=1 build/sanitized/bitsweep build/sanitized/tests/run; then
    export LSAN_OPTIONS="suppressions=$PWD/tests/leaks.supp:print_suppressions=0"
    export ASAN_OPTIONS="log_path=$work/sanitizer.address:detect_leaks=1:allocator_may_return_null=1"
    export UBSAN_OPTIONS="log_path=$work/sanitizer.undefined:print_stacktrace=1"
    criterion build/sanitized/tests/run build/sanitized/bitsweep
    tool_logs "no sanitizer finding" 'sanitizer.'
fi

step "clang"
if command -v clang >/dev/null; then
    build "clang builds without warnings" CC=clang BUILD=build/clang program build/clang/tests/run
fi

step "valgrind"
small="-s samples=48 -s epochs=1 -s hidden=8 -s seed=1 -s budget=3.5"
if command -v valgrind >/dev/null && [ -x build/bitsweep ]; then
    for verb in plan run collect; do
        # shellcheck disable=SC2086
        (cd "$work" && valgrind -q --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --log-file="$work/valgrind.$verb.%p" \
            "$OLDPWD/build/bitsweep" $verb "$OLDPWD/bench/sweeps/smoke.yaml" $small) >"$work/output.valgrind.$verb" 2>&1 \
            || { tail -n 20 "$work/output.valgrind.$verb"; bad "bitsweep $verb under valgrind"; }
    done
    (cd "$work" && valgrind -q --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --log-file="$work/valgrind.incremental.%p" \
        "$OLDPWD/build/bitsweep" run "$OLDPWD/tests/incremental.yaml") >"$work/output.valgrind.incremental" 2>&1 \
        || { tail -n 20 "$work/output.valgrind.incremental"; bad "incremental runs under valgrind"; }
    tool_logs "no valgrind finding in plan, run, collect and incremental runs" 'valgrind.'
fi

skipped=$(wc -l <"$BITSWEEP_SKIP_LOG")
if [ "$skipped" -gt 0 ]; then
    printf '\nskipped:\n'
    sort "$BITSWEEP_SKIP_LOG" | uniq -c
fi
printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
