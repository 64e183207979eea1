#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The one door to this tree: installs what is missing, builds, runs, tests.
#
# It starts from a Debian 12 that holds git and the checkout and nothing else, as root or through
# sudo, so it asks only for what every Debian has: sh, dpkg, apt.
set -eu

top=$(cd "$(dirname "$0")" && pwd)

# What each command needs: Debian packages. "package@command" is satisfied by any such command.
build_packages='gcc@cc libc6-dev meson@meson ninja-build@ninja pkg-config@pkg-config libxxhash-dev
	libjansson-dev libssl-dev libargon2-dev libcurl4-openssl-dev libseccomp-dev'
test_packages='gcc g++ libcmocka-dev python3 python3-pytest python3-pytest-xdist python3-paho-mqtt
	mosquitto mosquitto-clients nodejs@node npm@npm
	chromium-headless-shell
	strace systemd e2fsprogs libsqlite3-dev openssl
	clang clang-tidy clang-format libclang-rt-14-dev llvm'
bench_packages='python3 mosquitto'
bench_doors_packages='python3 mosquitto openssl'
bench_storm_packages='python3 gcc@cc libc6-dev libssl-dev'
bench_library_packages='python3 gcc@cc libc6-dev libmosquitto-dev libpaho-mqtt-dev'

say()
{
	echo "nightjar.sh: $*"
}

die()
{
	echo "nightjar.sh: $*" >&2
	exit 1
}

# In front of Debian's own in the PATH; those of /usr/bin stay as they are.
link_as_mosquitto()
{
	for name in mosquitto_pub mosquitto_sub mosquitto_rr mosquitto_passwd; do
		as_root ln -sf nightjar "${DESTDIR-}/usr/local/bin/$name" ||
			die "cannot make the link $name: the reason is above."
	done
	# mosquitto itself is one for administrators, and /usr/sbin comes before bin for them
	as_root install -d "${DESTDIR-}/usr/local/sbin" &&
		as_root ln -sf ../bin/nightjar "${DESTDIR-}/usr/local/sbin/mosquitto" ||
		die 'cannot make the link mosquitto: the reason is above.'
	say "mosquitto, mosquitto_pub, mosquitto_sub, mosquitto_rr and mosquitto_passwd are nightjar now"
}

# The service's first configuration; one that is there is its owner's.
install_configuration()
{
	folder=${DESTDIR-}/etc/nightjar
	[ ! -e "$folder/nightjar.conf" ] || return 0
	{
		as_root install -d "$folder"
		as_root install -m 644 "$top/packaging/nightjar.conf" "$folder/nightjar.conf"
	} || die "cannot write $folder/nightjar.conf: the reason is above."
}

# The service's user; and systemd reads its units anew. Nothing is started.
announce_service()
{
	[ -d /run/systemd/system ] || return 0
	as_root systemd-sysusers nightjar.conf || die 'cannot make the user of the service.'
	as_root systemctl daemon-reload || die 'cannot tell systemd of the service.'
	say 'to start it now and at each boot: systemctl enable --now nightjar'
}

usage()
{
	cat <<'TEXT'
usage: ./nightjar.sh <command>

  run [arguments]   build, then start the broker in the foreground (nightjar broker [arguments])
  build             leave the program at build/nightjar
  test [stage...]   run every check and test; the last line says how many passed
  hunt MINUTES      look for faults with new seeds, for so long; --list says where
  bench             measure against Debian's mosquitto on this machine;
                    with --durable: what is stored before it is acknowledged;
                    with --library: libnightjar beside libmosquitto and Paho C
                    with --storm: 10,000 of its clients lose their broker at once
                    with --tls: messages, handshakes, idle connections and a storm over TLS
                    with --replace: files replaced under load; with --acl: 100,000 rules
                    with --hostile: what clients notice while others misbehave
  install           install the program, libnightjar and the service under /usr/local
                    (DESTDIR is honoured); with --as-mosquitto: also as mosquitto, mosquitto_pub,
                    mosquitto_sub, mosquitto_rr and mosquitto_passwd
  clean             remove what build and test left in the tree

What is missing is installed with apt, as root or through sudo.
TEXT
}

as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

is_installed()
{
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ]
}

# Prints those of the given packages that this machine lacks.
missing_of()
{
	for entry in "$@"; do
		package=${entry%@*}
		is_installed "$package" && continue
		case $entry in
		*@*) command -v "${entry#*@}" >/dev/null 2>&1 && continue ;;
		esac
		printf '%s ' "$package"
	done
}

apt_knows_all()
{
	for package in "$@"; do
		apt-cache show "$package" >/dev/null 2>&1 || return 1
	done
}

apt_get()
{
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
		-o Dpkg::Use-Pty=0 "$@" >>"$apt_log" 2>&1
}

# Once only: what a fresh list does not cure, a second one will not.
apt_update()
{
	[ -z "$apt_is_fresh" ] || return 1
	apt_is_fresh=yes
	apt_get update || apt_failed "cannot fetch apt's package lists"
}

apt_failed()
{
	release_services
	tail -n 15 "$apt_log" >&2
	rm -f "$apt_log"
	die "$1: apt's own words are above."
}

# Installs $2... because of $1. Services that come with a package are not started meanwhile.
install_packages()
{
	why=$1
	shift
	missing=$(missing_of "$@")
	[ -n "$missing" ] || return 0
	command -v apt-get >/dev/null 2>&1 ||
		die "needs ${missing}to $why, and this system has no apt-get: install them by hand."
	[ "$(id -u)" = 0 ] || command -v sudo >/dev/null 2>&1 ||
		die "needs ${missing}to $why: run it as root, or install sudo."
	say "installing ${missing}to $why"
	apt_log=$(mktemp)
	apt_is_fresh=
	policy_is_ours=
	# shellcheck disable=SC2086 # a list of words
	set -- $missing
	apt_knows_all "$@" || apt_update
	hold_services
	apt_get install -y --no-install-recommends "$@" ||
		{ apt_update && apt_get install -y --no-install-recommends "$@"; } ||
		apt_failed "cannot install $missing"
	release_services
	case " $* " in
	*' mosquitto '*) keep_mosquitto_off ;;
	esac
	rm -f "$apt_log"
}

# Debian starts a service as soon as its package is there, unless this file forbids it.
policy=/usr/sbin/policy-rc.d
hold_services()
{
	[ ! -e "$policy" ] || return 0
	policy_is_ours=yes
	trap 'release_services; exit 1' INT TERM HUP
	printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
	as_root chmod 755 "$policy"
}

release_services()
{
	[ -n "$policy_is_ours" ] || return 0
	policy_is_ours=
	as_root rm -f "$policy"
	trap - INT TERM HUP
}

# The tests start mosquitto themselves; as a service it would take port 1883 after the next boot.
keep_mosquitto_off()
{
	if [ -d /run/systemd/system ]; then
		as_root systemctl disable mosquitto >/dev/null 2>&1 || true
	fi
}

# A release build: link-time optimisation, hardened (see meson.build), assertions kept.
configure()
{
	mkdir -p "$top/build"
	meson setup "$top/build" "$top" --buildtype=release -Db_lto=true -Dtests=false \
		>"$top/build/setup.log" 2>&1 && return 0
	tail -n 15 "$top/build/setup.log" >&2
	die 'cannot configure the build: the reason is above.'
}

build()
{
	# shellcheck disable=SC2086 # a list of words
	install_packages 'build nightjar' $build_packages
	if [ ! -f "$top/build/build.ninja" ]; then
		say 'building in build/'
		configure
	fi
	ninja --quiet -C "$top/build" || die 'cannot build: the reason is above.'
	[ -x "$top/build/nightjar" ] || die 'the build left no program at build/nightjar.'
}

case ${1-} in
build)
	build
	say "built build/nightjar"
	;;
run)
	shift
	build
	exec "$top/build/nightjar" broker "$@"
	;;
test)
	# shellcheck disable=SC2086 # a list of words
	install_packages 'build and test nightjar' $build_packages $test_packages
	shift
	exec /usr/bin/python3 "$top/tests/pipeline.py" "$@"
	;;
hunt)
	shift
	# shellcheck disable=SC2086 # a list of words
	install_packages 'hunt for faults' $build_packages $test_packages
	exec /usr/bin/python3 "$top/tests/hunt.py" "$@"
	;;
bench)
	shift
	build
	case ${1-} in
	--storm)
		shift
		# shellcheck disable=SC2086 # a list of words
		install_packages 'measure reconnects' $bench_storm_packages
		exec /usr/bin/python3 "$top/tests/bench/storm.py" "$@"
		;;
	--replace | --acl | --hostile)
		what=${1#--}
		shift
		# shellcheck disable=SC2086 # a list of words
		install_packages 'measure doors' $bench_doors_packages
		exec /usr/bin/python3 "$top/tests/bench/$what.py" "$@"
		;;
	--tls)
		shift
		# shellcheck disable=SC2086 # a list of words
		install_packages 'measure TLS' $bench_doors_packages
		exec /usr/bin/python3 "$top/tests/bench/tls.py" "$@"
		;;
	--library)
		shift
		# shellcheck disable=SC2086 # a list of words
		install_packages 'measure client libraries' $bench_library_packages
		exec /usr/bin/python3 "$top/tests/bench/library.py" "$@"
		;;
	esac
	# shellcheck disable=SC2086 # a list of words
	install_packages 'measure against mosquitto' $bench_packages
	case ${1-} in
	--durable)
		shift
		exec /usr/bin/python3 "$top/tests/bench/durable.py" "$@"
		;;
	esac
	exec /usr/bin/python3 "$top/tests/bench/bench.py" "$@"
	;;
install)
	case ${2-} in
	'' | --as-mosquitto) ;;
	*) die "unknown option '$2' of install: there is --as-mosquitto." ;;
	esac
	build
	as_root env DESTDIR="${DESTDIR-}" meson install -C "$top/build" --no-rebuild --quiet ||
		die 'cannot install: the reason is above.'
	install_configuration
	# else the loader does not know libnightjar yet
	[ -n "${DESTDIR-}" ] || as_root ldconfig
	[ -n "${DESTDIR-}" ] || announce_service
	say "installed nightjar"
	[ "${2-}" != --as-mosquitto ] || link_as_mosquitto
	;;
clean)
	rm -rf "$top/build" "$top/build-test"
	say 'removed build and build-test'
	;;
-h | --help | help)
	usage
	;;
'')
	usage >&2
	exit 1
	;;
*)
	die "unknown command '$1': try ./nightjar.sh help."
	;;
esac
