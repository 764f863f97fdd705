#!/bin/sh
# Executes the notebooks from top to bottom, in a fresh kernel each.
#
#     notebooks/run.sh                 all of them, written back with their outputs
#     notebooks/run.sh 01 04           those whose names begin so
#     notebooks/run.sh --check         all of them, nothing is written
#
# Exit code 1 when a cell fails: when it does not compile, ends with an error or
# when a claim in it (package lesson) does not hold.
#
# Needs Go and a Debian or Ubuntu with apt, or jupyter-nbconvert installed by
# other means. The kernel is built from the version that go.mod names and kept,
# with its registration, in .tools beside this script; nothing else is changed
# on the machine but for the package jupyter-nbconvert where it is missing.
set -eu
cd "$(dirname "$0")"

check=false
if [ "${1:-}" = --check ]; then
	check=true
	shift
fi

if ! command -v jupyter-nbconvert >/dev/null; then
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	$sudo apt-get -q update
	$sudo apt-get -q install -y --no-install-recommends jupyter-nbconvert
fi

tools=$PWD/.tools
export PATH="$tools/bin:$PATH" JUPYTER_DATA_DIR="$tools/jupyter"
GOBIN="$tools/bin" go install tool
gonb --install --force_deps -raw_error >/dev/null 2>&1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/verify" ./internal/verify

[ $# -gt 0 ] || set -- 0
failed=false
for prefix in "$@"; do
	for notebook in "$prefix"*.ipynb; do
		if [ ! -e "$notebook" ]; then
			echo "no notebook begins with $prefix; there are:" *.ipynb >&2
			exit 2
		fi
		start=$(date +%s)
		# The kernel logs a lot. Of interest is the cell that failed or, where none
		# is named, everything.
		if ! jupyter-nbconvert --to notebook --execute "$notebook" --output-dir "$work" \
			--ExecutePreprocessor.timeout=300 --ExecutePreprocessor.record_timing=False >"$work/log" 2>&1; then
			echo "$notebook:" >&2
			if grep -q '^nbclient' "$work/log"; then
				sed -n '/^nbclient/,$p' "$work/log" >&2
			else
				cat "$work/log" >&2
			fi
			failed=true
			continue
		fi
		if ! "$work/verify" "$work/$notebook"; then
			failed=true
			continue
		fi
		# The kernel does not say how to highlight its language.
		$check || sed 's/"pygments_lexer": ""/"pygments_lexer": "go"/' "$work/$notebook" >"$notebook"
		echo "$notebook: ok, $(($(date +%s) - start)) s"
	done
done
! $failed
