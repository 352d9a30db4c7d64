# SPDX-License-Identifier: GPL-3.0-or-later
# Bash completion for bitsweep.
_bitsweep()
{
    local word=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]}
    local verbs="list plan run status collect table plot diff data reference bench --version --help"
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$word")
        return
    fi
    local files='*' options="--help"
    case $verb in
        list) options="allocators modes datasets models quantisers solvers costs settings --format --help"; files= ;;
        plan) options="-s -j --format --help"; files='*.yaml' ;;
        run) options="-s -j --threads --timeout --checkpoint --retry --redo --only --quiet --help"; files='*.yaml' ;;
        status) options="-s --format --help"; files='*.yaml' ;;
        collect) options="-s --help"; files='*.yaml' ;;
        table) options="--per-run --by --metric --format --help"; files='*.h5' ;;
        plot) options="--out --format --figure --list --help"; files='*.h5' ;;
        diff) options="--all --format --help"; files='*.h5' ;;
        data) options="list check convert -s --force --format --help"; files='*.h5' ;;
        reference) files='*.h5' ;;
        bench) options="gemm hadamard steps allocators --format --help"; files= ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word"
                             [ -z "$files" ] || compgen -f -X "!$files" -- "$word"
                             [ -z "$files" ] || compgen -d -S / -- "$word")
}
complete -o nospace -F _bitsweep bitsweep
