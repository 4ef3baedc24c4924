/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two filters of this room: which segments the raw sockets hand to us (those
 * for a claimed port), and what a claim's listening socket hands to the kernel's
 * TCP (nothing). Both are eBPF where bpf(2) is allowed, else classic BPF.
 */
#ifndef TCPD_NETIO_FILTER_H
#define TCPD_NETIO_FILTER_H

#include <linux/bpf.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PORT_MAP_BYTES 8192u /* a bit for each of 65,536 ports */

/* The longest port list of a classic filter: its jumps reach 255 instructions. */
#define FILTER_CLASSIC_PORTS 200u
#define FILTER_CLASSIC_INSNS (FILTER_CLASSIC_PORTS + 4u)
#define FILTER_EBPF_INSNS    20u

/* The port bitmap. Of a kernel map, shared with the filter, or of memory of our own. */
struct port_filter {
    uint8_t *bits;
    bool mapped;
    int raw4, raw6; /* where a classic filter is attached anew when ports change; -1: no such */
};

/* ---- for the one who opens the sockets ------------------------------------------------------- */

/** filter_map_new() - the shared bitmap; fd or -errno */
int filter_map_new(void);
/** filter_drop_new() - the eBPF program that drops everything; fd or -errno */
int filter_drop_new(void);
/** filter_attach_map() - let @sock see only segments for ports in @map_fd; -errno */
int filter_attach_map(int sock, bool ipv6, int map_fd);
/** filter_attach_drop() - drop everything that arrives at @sock; @prog_fd -1: classic BPF */
int filter_attach_drop(int sock, int prog_fd);

/* ---- for the worker ---------------------------------------------------------------------------
 */

/** port_filter_init() - take the bitmap as it is; @map_fd -1: an own, empty one. -errno */
int port_filter_init(struct port_filter *f, int map_fd, int raw4, int raw6);
void port_filter_deinit(struct port_filter *f);
/** port_filter_set() - one port, effective for every segment that arrives from now on */
void port_filter_set(struct port_filter *f, uint16_t port, bool on);
bool port_filter_has(const struct port_filter *f, uint16_t port);

/* ---- the programs, apart so that tests can run them -------------------------------------------
 */

/** filter_ebpf_build() - length of the program in instructions */
unsigned filter_ebpf_build(bool ipv6, int map_fd, struct bpf_insn ret[FILTER_EBPF_INSNS]);

/**
 * filter_classic_build() - a program that accepts the ports of @bits
 *
 * If they are more than FILTER_CLASSIC_PORTS it accepts everything, and the
 * reader has to look at the bitmap. Returns the length in instructions.
 */
unsigned filter_classic_build(bool ipv6, const uint8_t bits[PORT_MAP_BYTES],
                              struct sock_filter ret[FILTER_CLASSIC_INSNS]);

#endif
