#!/usr/bin/env bash
# Prints a directory to use as JAVA_HOME: `java_home.sh CACHE`. Spark 4 needs Java 17 or newer.
#
# Where neither JAVA_HOME nor the PATH has one, root installs Debian's package, and anybody else gets it unpacked into
# CACHE.
set -euo pipefail

cache=$1
oldest=17

version_of() {
    "$1" -version 2>&1 | sed -nE 's/.* version "([0-9]+).*/\1/p' | head -n 1
}

is_enough() {
    local version
    version=$(version_of "$1")
    [ -n "$version" ] && [ "$version" -ge "$oldest" ]
}

# The first of them that this release of Debian has.
debian_package() {
    local version
    for version in 17 21 25; do
        if [ -n "$(apt-cache policy "openjdk-$version-jre-headless" 2>/dev/null)" ]; then
            echo "openjdk-$version-jre-headless"
            return
        fi
    done
    echo "no Java $oldest or newer on the PATH, and apt offers none" >&2
    return 1
}

# Whole or not at all: the last step is a rename.
unpack() {
    local parts=$cache.new
    rm -rf "$parts" "$cache"
    mkdir -p "$parts"
    (cd "$parts" && apt-get download "$1" >&2)
    dpkg-deb --extract "$parts"/*.deb "$parts"
    rm "$parts"/*.deb
    # The package's links to its configuration say where that would be if it were installed.
    find "$parts/usr/lib/jvm" -type l -lname '/etc/*' | while read -r link; do
        ln -sfn "$cache$(readlink "$link")" "$link"
    done
    mv "$parts" "$cache"
}

unpacked() {
    find "$cache/usr/lib/jvm" -maxdepth 3 -path '*/bin/java' -printf '%h\n' 2>/dev/null | sed 's|/bin$||' | head -n 1
}

on_path() {
    dirname "$(dirname "$(readlink --canonicalize "$(command -v java)")")"
}

if [ -n "${JAVA_HOME:-}" ] && is_enough "$JAVA_HOME/bin/java"; then
    echo "$JAVA_HOME"
elif command -v java >/dev/null && is_enough java; then
    on_path
elif [ "$(id -u)" -eq 0 ]; then
    apt-get install --yes --no-install-recommends "$(debian_package)" >&2
    on_path
else
    [ -n "$(unpacked)" ] || unpack "$(debian_package)"
    unpacked
fi
