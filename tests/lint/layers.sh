#!/bin/sh
# A module includes only itself, the public headers of layers at or below it, and nothing of its neighbours.
set -u
bad=0
public() { # the layer of a public header
	case $1 in
	err | limits | buf | json | clock | hash | text | queue | log | io | proc | sshsig | seal | words | sigv4 | jsontext) echo 1 ;;
	value | expr | model | profile) echo 2 ;;
	watch | page) echo 3 ;;
	receipt | ledger | merkle | note | verify | proof | export | restore | anchor | archive | foreign) echo 4 ;;
	decide) echo 5 ;;
	act | transfer) echo 6 ;;
	*) echo 99 ;;
	esac
}
rank() {
	case $1 in
	base) echo 1 ;; model) echo 2 ;; watch) echo 3 ;; ledger) echo 4 ;; decide) echo 5 ;; act) echo 6 ;; engine) echo 7 ;; sim) echo 1 ;;
	esac
}
say() {
	echo "layers: $1"
	bad=1
}
for f in $(git ls-files 'core/*.c' 'core/*.h'); do
	layer=${f#core/}
	layer=${layer%%/*}
	top=$(rank "$layer")
	for inc in $(sed -n 's/^#include "\([^"]*\)".*/\1/p' "$f"); do
		case $inc in
		warroom/*)
			h=${inc#warroom/}
			[ "$(public "${h%.h}")" -le "$top" ] || say "$f includes $inc, which is above it" ;;
		*/*) [ "${inc%%/*}" = "$layer" ] || say "$f includes $inc of another module" ;;
		esac
	done
	case $layer in
	base | model | watch | ledger | decide | act | sim | engine)
		if grep -qE 'include <n?curses' "$f"; then say "$f knows curses"; fi ;;
	esac
done
for f in $(git ls-files 'tui/*.c' 'tui/*.h'); do
	if grep -qE '#include "(core|base|model|watch|ledger|decide|act|engine|sim)/' "$f"; then say "$f includes a header of core"; fi
done
# Pure modules: no clock, file, socket, thread or random number.
for f in $(git ls-files 'core/decide/*.c') core/watch/verdict.c core/watch/world.c core/watch/signal.c core/ledger/receipt.c; do
	[ -e "$f" ] || continue
	if grep -nE '#include <(time|pthread|sys/socket|unistd|fcntl|sys/stat|sodium|curl/)' "$f"; then say "$f is pure and must not include that"; fi
	if grep -nE '\b(fopen|open|time|clock_gettime|randombytes_buf|getenv)[[:space:]]*\(' "$f"; then say "$f is pure and must not call that"; fi
done
# One file alone talks to curses.
n=$(grep -lE '#include <(ncurses|curses)' $(git ls-files 'tui/*.c') 2>/dev/null | wc -l)
[ "$n" -le 1 ] || say "curses is included by $n files of tui; one may"
exit $bad
