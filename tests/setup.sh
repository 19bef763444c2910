#!/bin/sh
# Install the packages that warroom is built, run and tested with, if any is missing. Silent when nothing is.
set -eu

debian='gcc make pkg-config libc6-dev libncurses-dev libcurl4-openssl-dev libjansson-dev libsodium-dev libyaml-dev
libmicrohttpd-dev libssl-dev libcmocka-dev bats openssh-client tmux python3 curl openssl
postgresql-15 postgresql-client-15 python3-psycopg2 haproxy prometheus redis-server etcd-server'
lint='clang clang-format clang-tidy cppcheck libclang-rt-14-dev'
shots='librsvg2-bin fonts-dejavu-core'

others() {
	cat >&2 <<'T'
warroom: no apt-get here. Install these, then run make again without `setup`:
  Fedora:   gcc make pkgconf ncurses-devel libcurl-devel jansson-devel libsodium-devel libyaml-devel libmicrohttpd-devel
            openssl-devel libcmocka-devel bats openssh-clients tmux python3 python3-psycopg2 postgresql-server haproxy
            golang-github-prometheus redis etcd
  Alpine:   gcc musl-dev make pkgconf ncurses-dev curl-dev jansson-dev libsodium-dev yaml-dev libmicrohttpd-dev openssl-dev
            cmocka-dev bats openssh-client tmux python3 py3-psycopg2 postgresql15 haproxy prometheus redis etcd
  Arch:     gcc make pkgconf ncurses curl jansson libsodium libyaml libmicrohttpd openssl cmocka bats openssh tmux python
            python-psycopg2 postgresql haproxy prometheus redis etcd
  Homebrew: pkg-config ncurses curl jansson libsodium libyaml libmicrohttpd openssl@3 cmocka bats-core tmux python
            postgresql@15 haproxy prometheus redis etcd
T
	exit 1
}

command -v dpkg-query >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1 || others

want="$debian"
case "${1:-}" in
all) want="$debian $lint $shots" ;;
esac
have=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' 2>/dev/null | awk '$2 == "installed" { print $1 }')
missing=
for p in $want; do
	printf '%s\n' "$have" | grep -qxF "$p" || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null 2>&1 || {
		echo "warroom: missing packages:$missing" >&2
		echo "warroom: neither root nor sudo: install them, then run make again" >&2
		exit 1
	}
	sudo=sudo
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# The services that some of these packages bring must not start: the tests start their own.
policy=/usr/sbin/policy-rc.d
made=
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
	$sudo chmod 755 $policy
	made=1
fi
cleanup() { [ -z "$made" ] || $sudo rm -f $policy; }
trap cleanup EXIT
$sudo apt-get update -qq
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
