#!/bin/sh
# Pictures for screenshots/, from the running program: plays the demo in a terminal of its own and takes each view.
# usage: screenshots.sh BUILD
set -eu
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
for tool in tmux rsvg-convert python3; do
	command -v $tool >/dev/null || { echo "screenshots: $tool is missing: run make setup screenshots" >&2; exit 1; }
done
sock=warroom-shots-$$
t() { tmux -L "$sock" -f /dev/null "$@"; }
trap 't kill-server 2>/dev/null || true' EXIT
take() { # NAME TITLE
	t capture-pane -e -p -t shot | python3 tests/tui/ansi2svg.py "$2" >"screenshots/$1.svg"
	rsvg-convert "screenshots/$1.svg" -o "screenshots/$1.png"
	echo "screenshots/$1.png"
}
seen() { # PATTERN: waits for it on the screen; the limit is only there so that a broken run ends
	n=0
	until t capture-pane -p -t shot | grep -qE "$1"; do
		n=$((n + 1))
		[ $n -lt 600 ] || { echo "screenshots: never seen: $1" >&2; t capture-pane -p -t shot >&2; exit 1; }
		sleep 0.2
	done
}
keys() {
	for k in "$@"; do
		t send-keys -t shot "$k"
		sleep 0.4 # as fast as a person types; what matters is waited for with `seen`
	done
}
type_in() { # TEXT: and an Enter of its own: one that comes with the text counts as pasted
	t send-keys -t shot -l "$1"
	sleep 0.8
	keys Enter
}
sign() { # REGION PASSPHRASE
	seen 'passphrase of'
	type_in "$1"
	type_in "$2"
}
mkdir -p screenshots
rm -f screenshots/*.svg screenshots/*.png
t new-session -d -s shot -x 100 -y 30 "LC_ALL=C.UTF-8 TERM=xterm-256color exec '$build/warroom' demo ${THEME:+--theme $THEME}"
seen 'passphrase:'
take welcome 'warroom demo: two people at one screen'
keys Enter
seen 'nothing to do'
take overview-quiet 'All quiet'
seen 'press f'
seen 'INC-'
take overview-down 'A region is lost: what, since when, who says so, what it costs, what to do'
keys w
seen 'PASS'
take why 'Why: every guard, what was observed, what it needs'
keys q f Enter
type_in 'us-central1 is dark'
seen 'passphrase of'
take sign 'What is signed is what is shown'
sign europe-west1 'orange harbour'
seen 'press a'
take overview-proposed 'One of two has approved'
keys a Enter
sign europe-west1 'quiet meadow'
seen 'running'
keys o
seen 'soak +soak +running'
take operation 'The operation: steps, output, timings, approvals'
seen 'completed, took'
take operation-completed 'Done, within the RTO'
keys q l
seen 'operation_completed'
take receipts 'The receipts'
keys q '?'
seen 'Help|Keys|help'
take help 'Help, from the key table'
keys q
seen 'press b'
keys b Enter
type_in 'us-central1 is repaired'
sign us-central1 'orange harbour'
seen 'press a'
keys a Enter
sign us-central1 'quiet meadow'
seen 'soak-50'
take failback 'The failback at 50 per cent'
keys C-c
