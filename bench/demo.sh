#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A sweep from its file to the figures, verb by verb; what `make demo` runs.
set -eu
sweep=$1
name=$(basename "$sweep" .yaml)
: "${BITSWEEP:=bitsweep}"
dataset=$(sed -n 's/^dataset: *//p' "$sweep")
"$BITSWEEP" data check "$dataset" >/dev/null
"$BITSWEEP" run "$sweep"
"$BITSWEEP" collect "$sweep" >/dev/null
echo
"$BITSWEEP" table "results/$name.h5"
"$BITSWEEP" plot "results/$name.h5" >/dev/null
echo
echo "a file a run:  results/$name/runs/*.h5"
echo "all together:  results/$name.h5"
echo "figures:       $(ls results/$name/figures/*.pdf results/$name/figures/*.png | tr '\n' ' ')"
