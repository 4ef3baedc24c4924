/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A raw IPv4 socket's filter sees the packet from the IP header on, a raw IPv6
 * socket's from the TCP header on: the kernel has stepped over extension headers.
 *
 * The eBPF program reads the bitmap in place (BPF_PSEUDO_MAP_VALUE) and we write
 * it in place (BPF_F_MMAPABLE), so claiming a port costs no system call here and
 * the kernel's own traffic costs one lookup. The legacy packet loads are used
 * because a short packet then ends the program with 0, which is a drop.
 */
#include "netio/filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ACCEPT_BYTES 0x7fffffff
#define DPORT_AT     2

static int bpf(int cmd, union bpf_attr *attr)
{
    long r = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

    return r < 0 ? -errno : (int)r;
}

static struct bpf_insn insn(int code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
    return (struct bpf_insn){
        .code = (uint8_t)code,
        .dst_reg = (uint8_t)(dst & 0x0f),
        .src_reg = (uint8_t)(src & 0x0f),
        .off = off,
        .imm = imm,
    };
}

unsigned filter_ebpf_build(bool ipv6, int map_fd, struct bpf_insn ret[FILTER_EBPF_INSNS])
{
    enum { R0, R1, R2, R6 = 6, R7 = 7 };
    unsigned n = 0;

    ret[n++] = insn(BPF_ALU64 | BPF_MOV | BPF_X, R6, R1, 0, 0); /* loads want the packet in r6 */
    if (ipv6) {
        ret[n++] = insn(BPF_LD | BPF_ABS | BPF_H, 0, 0, 0, DPORT_AT);
    } else {
        ret[n++] = insn(BPF_LD | BPF_ABS | BPF_B, 0, 0, 0, 0); /* version and header length */
        ret[n++] = insn(BPF_ALU64 | BPF_AND | BPF_K, R0, 0, 0, 0x0f);
        ret[n++] = insn(BPF_ALU64 | BPF_LSH | BPF_K, R0, 0, 0, 2);
        ret[n++] = insn(BPF_ALU64 | BPF_MOV | BPF_X, R7, R0, 0, 0);
        ret[n++] = insn(BPF_LD | BPF_IND | BPF_H, 0, R7, 0, DPORT_AT);
    }
    ret[n++] = insn(BPF_ALU64 | BPF_AND | BPF_K, R0, 0, 0, 0xffff); /* for the verifier */
    ret[n++] = insn(BPF_ALU64 | BPF_MOV | BPF_X, R7, R0, 0, 0);
    ret[n++] = insn(BPF_ALU64 | BPF_RSH | BPF_K, R0, 0, 0, 3);
    ret[n++] = insn(BPF_LD | BPF_IMM | BPF_DW, R1, BPF_PSEUDO_MAP_VALUE, 0, map_fd);
    ret[n++] = insn(0, 0, 0, 0, 0);
    ret[n++] = insn(BPF_ALU64 | BPF_ADD | BPF_X, R1, R0, 0, 0);
    ret[n++] = insn(BPF_LDX | BPF_MEM | BPF_B, R2, R1, 0, 0);
    ret[n++] = insn(BPF_ALU64 | BPF_AND | BPF_K, R7, 0, 0, 7);
    ret[n++] = insn(BPF_ALU64 | BPF_RSH | BPF_X, R2, R7, 0, 0);
    ret[n++] = insn(BPF_ALU64 | BPF_AND | BPF_K, R2, 0, 0, 1);
    ret[n++] = insn(BPF_ALU64 | BPF_MOV | BPF_K, R0, 0, 0, 0);
    ret[n++] = insn(BPF_JMP | BPF_JEQ | BPF_K, R2, 0, 1, 0);
    ret[n++] = insn(BPF_ALU64 | BPF_MOV | BPF_K, R0, 0, 0, ACCEPT_BYTES);
    ret[n++] = insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    return n;
}

static int program_load(const struct bpf_insn *insns, unsigned count)
{
    union bpf_attr attr = { 0 };

    attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
    attr.insns = (uint64_t)(uintptr_t)insns;
    attr.insn_cnt = count;
    attr.license = (uint64_t)(uintptr_t) "BSD";
    return bpf(BPF_PROG_LOAD, &attr);
}

int filter_map_new(void)
{
    union bpf_attr attr = { 0 };

    attr.map_type = BPF_MAP_TYPE_ARRAY;
    attr.key_size = sizeof(uint32_t);
    attr.value_size = PORT_MAP_BYTES;
    attr.max_entries = 1;
    attr.map_flags = BPF_F_MMAPABLE;
    memcpy(attr.map_name, "tcpd_ports", sizeof("tcpd_ports"));
    return bpf(BPF_MAP_CREATE, &attr);
}

int filter_drop_new(void)
{
    const struct bpf_insn drop[] = {
        insn(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
        insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
    };

    return program_load(drop, 2);
}

int filter_attach_map(int sock, bool ipv6, int map_fd)
{
    struct bpf_insn insns[FILTER_EBPF_INSNS];
    int prog, r;

    prog = program_load(insns, filter_ebpf_build(ipv6, map_fd, insns));
    if (prog < 0)
        return prog;
    r = setsockopt(sock, SOL_SOCKET, SO_ATTACH_BPF, &prog, sizeof(prog)) ? -errno : 0;
    (void)close(prog);
    return r;
}

static int attach_classic(int sock, struct sock_filter *insns, unsigned count)
{
    struct sock_fprog prog = { .len = (unsigned short)count, .filter = insns };

    return setsockopt(sock, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) ? -errno : 0;
}

int filter_attach_drop(int sock, int prog_fd)
{
    struct sock_filter drop[] = { BPF_STMT(BPF_RET | BPF_K, 0) };

    if (prog_fd >= 0 && setsockopt(sock, SOL_SOCKET, SO_ATTACH_BPF, &prog_fd, sizeof(prog_fd)) == 0)
        return 0;
    return attach_classic(sock, drop, 1);
}

static bool bit(const uint8_t *bits, unsigned port)
{
    return __atomic_load_n(&bits[port >> 3], __ATOMIC_RELAXED) >> (port & 7) & 1;
}

unsigned filter_classic_build(bool ipv6, const uint8_t bits[PORT_MAP_BYTES],
                              struct sock_filter ret[FILTER_CLASSIC_INSNS])
{
    uint16_t ports[FILTER_CLASSIC_PORTS];
    unsigned count = 0, n = 0;

    for (unsigned p = 1; p <= UINT16_MAX; p++) {
        if (!bit(bits, p))
            continue;
        if (count == FILTER_CLASSIC_PORTS) {
            ret[0] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ACCEPT_BYTES);
            return 1;
        }
        ports[count++] = (uint16_t)p;
    }

    if (ipv6) {
        ret[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_H | BPF_ABS, DPORT_AT);
    } else {
        ret[n++] = (struct sock_filter)BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0);
        ret[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_H | BPF_IND, DPORT_AT);
    }
    /* Each comparison jumps over the ones left and the drop. */
    for (unsigned i = 0; i < count; i++)
        ret[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ports[i],
                                                (uint8_t)(count - i), 0);
    ret[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
    ret[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ACCEPT_BYTES);
    return n;
}

/* Failing to attach leaves the old list in force: the new port would be deaf. Take none then. */
static void classic_update(const struct port_filter *f, int sock, bool ipv6)
{
    struct sock_filter insns[FILTER_CLASSIC_INSNS];
    int nothing = 0;

    if (sock < 0)
        return;
    if (attach_classic(sock, insns, filter_classic_build(ipv6, f->bits, insns)))
        (void)setsockopt(sock, SOL_SOCKET, SO_DETACH_FILTER, &nothing, sizeof(nothing));
}

int port_filter_init(struct port_filter *f, int map_fd, int raw4, int raw6)
{
    *f = (struct port_filter){ .raw4 = -1, .raw6 = -1 };
    if (map_fd >= 0) {
        void *p = mmap(NULL, PORT_MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);

        if (p == MAP_FAILED)
            return -errno;
        f->bits = p;
        f->mapped = true;
        return 0;
    }
    f->bits = calloc(1, PORT_MAP_BYTES);
    if (!f->bits)
        return -ENOMEM;
    f->raw4 = raw4;
    f->raw6 = raw6;
    classic_update(f, raw4, false);
    classic_update(f, raw6, true);
    return 0;
}

void port_filter_deinit(struct port_filter *f)
{
    if (!f->bits)
        return;
    if (f->mapped)
        (void)munmap(f->bits, PORT_MAP_BYTES);
    else
        free(f->bits);
    f->bits = NULL;
}

void port_filter_set(struct port_filter *f, uint16_t port, bool on)
{
    uint8_t mask = (uint8_t)(1u << (port & 7));

    if (bit(f->bits, port) == on)
        return;
    if (on)
        __atomic_fetch_or(&f->bits[port >> 3], mask, __ATOMIC_SEQ_CST);
    else
        __atomic_fetch_and(&f->bits[port >> 3], (uint8_t)~mask, __ATOMIC_SEQ_CST);
    classic_update(f, f->raw4, false);
    classic_update(f, f->raw6, true);
}

bool port_filter_has(const struct port_filter *f, uint16_t port)
{
    return bit(f->bits, port);
}
