# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: BSD-2-Clause
# For quickstart and check, which source this.

# What a build needs, and what the commands themselves do (Debian 12 names).
packages_build="gcc libc6-dev meson ninja-build pkg-config protobuf-c-compiler libprotobuf-c-dev
libev-dev libsystemd-dev libmnl-dev libcap-dev libcmocka-dev"
packages_run="iproute2 python3 curl procps"
packages_test="nftables conntrack iperf3 socat nginx-light openssl mandoc util-linux ethtool"

die()
{
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# packages_install NAME... - install those that are missing, and start no service for it.
packages_install()
{
    local missing=() name

    for name in "$@"; do
        dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed ||
            missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    echo "installing: ${missing[*]}"

    # nginx and others start themselves when they are installed, unless this file says no.
    local no_services=/usr/sbin/policy-rc.d made=
    if [ ! -e $no_services ]; then
        printf '#!/bin/sh\nexit 101\n' >$no_services
        chmod 755 $no_services
        made=$no_services
    fi
    local status=0
    {
        apt-get -q update &&
            DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
                -o Dpkg::Use-Pty=0 install "${missing[@]}"
    } </dev/null >"${TMPDIR:-/tmp}/tcpd-apt.$$" 2>&1 || status=$?
    [ -n "$made" ] && rm -f "$made"
    [ $status -eq 0 ] || tail -n 30 "${TMPDIR:-/tmp}/tcpd-apt.$$" >&2
    rm -f "${TMPDIR:-/tmp}/tcpd-apt.$$"
    return $status
}

# build_tree DIR OPTION... - configure (again, if the options changed) and build; quiet if it works.
build_tree()
{
    local dir=$1 log
    shift
    log=$dir/log
    mkdir -p "$dir"
    if [ -f "$dir/build.ninja" ]; then
        meson configure "$dir" "$@" >"$log" 2>&1 || return 1
    else
        meson setup "$dir" "$@" >"$log" 2>&1 || { tail -n 30 "$log" >&2; return 1; }
    fi
    ninja -C "$dir" >>"$log" 2>&1 </dev/null || {
        sed -n '/^FAILED/,$p' "$log" | head -n 60 >&2
        return 1
    }
    rm -f "$log"
}
