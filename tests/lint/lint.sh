#!/bin/sh
# Everything that `make lint` checks; says all findings, then fails.
# usage: lint.sh
set -u
cd "$(dirname "$0")/../.."
rc=0
need() {
	command -v "$1" >/dev/null 2>&1 && return 0
	echo "lint: $1 is missing: apt-get install $2" >&2
	exit 1
}
need clang-format clang-format
need clang-tidy clang-tidy
need cppcheck cppcheck
c_files=$(git ls-files '*.c')
all=$(git ls-files '*.c' '*.h')

echo "lint: format"
# shellcheck disable=SC2086
clang-format --dry-run -Werror $all || rc=1
echo "lint: banned functions"
sh tests/lint/banned.sh || rc=1
echo "lint: layers"
sh tests/lint/layers.sh || rc=1
echo "lint: words of unfinished work"
if grep -nIE '\b(TODO|FIXME|XXX|HACK)\b' $all; then rc=1; fi
echo "lint: cppcheck"
# shellcheck disable=SC2086
cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 -j 2 \
	--suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches --suppress=unknownMacro \
	--library=posix -Iinclude -Icore -Itui -D_GNU_SOURCE -DWR_VERSION='"0"' $(git ls-files 'core/*.c' 'tui/*.c') || rc=1
echo "lint: clang-tidy"
flags="-std=c17 -Iinclude -Icore -Itui -D_GNU_SOURCE -DWR_VERSION=\"0\" $(pkg-config --cflags libcurl jansson libsodium yaml-0.1 libmicrohttpd ncursesw)"
out=$(mktemp)
# shellcheck disable=SC2016,SC2086
printf '%s\n' $(git ls-files 'core/*.c' 'tui/*.c') |
	FLAGS=$flags xargs -P 2 -n 6 sh -c 'clang-tidy --quiet "$@" -- $FLAGS 2>/dev/null' sh >"$out" || rc=1
cat "$out"
rm -f "$out"
echo "lint: clang builds it without a warning"
MAKEFLAGS= make --no-print-directory -j2 CC=clang BUILD=build-clang CI=true all >/dev/null || rc=1
[ $rc -eq 0 ] && echo "lint: clean"
exit $rc
