# SPDX-License-Identifier: GPL-3.0-or-later
# Bash completion for bitsweep.
_bitsweep()
{
    local word=${COMP_WORDS[COMP_CWORD]} first=1
    while [ "${COMP_WORDS[first]}" = --plugin ] && [ "$COMP_CWORD" -gt $((first + 1)) ]; do
        first=$((first + 2))
    done
    local verb=${COMP_WORDS[first]}
    if [ "${COMP_WORDS[COMP_CWORD-1]}" = --plugin ]; then
        mapfile -t COMPREPLY < <(compgen -f -X '!*.so' -- "$word"; compgen -d -S / -- "$word")
        return
    fi
    local verbs="list plan run status collect table plot diff data reference bench allocate test --plugin --version --help"
    if [ "$COMP_CWORD" -eq "$first" ]; then
        mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$word")
        return
    fi
    local files='*' options="--help"
    case $verb in
        list) options="allocators modes datasets models quantisers solvers costs strategies settings --format --help"; files= ;;
        plan) options="-s -j --format --help"; files='*.yaml' ;;
        run) options="-s -j --threads --timeout --checkpoint --retry --redo --only --from --quiet --help"; files='*.yaml' ;;
        status) options="-s --format --help"; files='*.yaml' ;;
        collect) options="-s --help"; files='*.yaml' ;;
        table) options="--per-run --by --metric --format --help"; files='*.h5' ;;
        plot) options="--out --format --figure --list --help"; files='*.h5' ;;
        diff) options="--all --format --help"; files='*.h5' ;;
        data)
            options="list check convert fetch -s --force --format --to --from --mirror --keep --help"
            files='*.h5'
            if [ "${COMP_WORDS[first+1]}" = fetch ]; then
                options="cifar10 cifar100 mnist fashion-mnist dsads hapt uci-har pamap2 wisdm"
                options="$options --to --from --mirror --keep --force --help"
                case ${COMP_WORDS[COMP_CWORD-1]} in --from) files='*' ;; --to) options= files='*/' ;; *) files= ;; esac
            fi ;;
        reference) files='*.h5' ;;
        bench) options="gemm hadamard steps allocators solvers kernels --write-latency --format --help"; files='*.csv' ;;
        allocate) options="-b --solver --sweep --noise --plot -o --format --help" ;;
        test) options="-s --format --help $(bitsweep list allocators 2>/dev/null | sed -n 's/^  \([a-z][a-z0-9_-]*\):.*/\1/p')"; files= ;;
    esac
    options="$options --plugin"
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word"
                             [ -z "$files" ] || compgen -f -X "!$files" -- "$word"
                             [ -z "$files" ] || compgen -d -S / -- "$word")
}
complete -o nospace -F _bitsweep bitsweep
