#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# static_library.sh OUTPUT lto|plain COMPILER... -- LIBRARY...
#
# Makes one library of several: the first whole, of the others what it needs, all in one object
# whose hidden names are local.
set -eu

output=$1
kind=$2
shift 2
compiler=
while [ "$1" != -- ]; do
	compiler="$compiler $1"
	shift
done
shift
first=$1
shift
object=${output%.a}.o

# With link-time optimisation the objects are not machine code yet; users' compilers want that.
[ "$kind" = lto ] && [ "$(uname -s)" = Linux ] && case $compiler in
*gcc* | *cc*) compiler="$compiler -flto -flinker-output=nolto-rel -O2" ;;
esac

# shellcheck disable=SC2086 # a list of words
$compiler -r -nostdlib -o "$object" -Wl,--whole-archive "$first" -Wl,--no-whole-archive \
	-Wl,--start-group "$@" -Wl,--end-group
objcopy --localize-hidden "$object"
rm -f "$output"
ar rcs "$output" "$object"
rm -f "$object"
