/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One direction of a wire between two engines, in virtual time: delay, jitter,
 * reordering, loss, duplication, corruption, a rate with a bounded queue, and a
 * narrow hop in the middle. Everything is decided by the seed.
 */
#ifndef TCPD_TESTS_LINK_H
#define TCPD_TESTS_LINK_H

#include "base/usec.h"
#include "lib/rng.h"
#include "wire/icmp.h"
#include "wire/packet.h"

struct link_params {
    uint32_t loss_ppm, duplicate_ppm, corrupt_ppm, reorder_ppm;
    usec_t delay, jitter;  /* jitter keeps the order */
    usec_t reorder_delay;  /* how much later a reordered one comes */
    uint64_t bytes_per_sec; /* 0: no limit */
    uint32_t queue_bytes;  /* before the rate; what does not fit is lost */
    uint32_t mtu;          /* of the device: nothing longer may be sent */
    uint32_t path_mtu;     /* of a hop behind it: longer ones are lost, with an ICMP error */
    bool whole_supers;     /* super-frames arrive whole, as over lo or after GRO */
};

struct link;

struct link *link_new(const struct link_params *params, uint64_t seed);
struct link *link_free(struct link *l);

/**
 * link_send() - @pkt, as an engine has offered it; borrowed for the call
 * @ret:  an ICMP error that comes back, if the answer is true
 */
bool link_send(struct link *l, struct packet *pkt, usec_t now, struct icmp_error *ret);

/** link_next_at() - when the next packet arrives; USEC_NEVER if none is on its way */
usec_t link_next_at(const struct link *l);

/** link_receive() - the next packet that has arrived by @now; borrowed until the next call */
bool link_receive(struct link *l, usec_t now, struct packet *ret, bool *ret_corrupt);

/** link_oversized() - packets that were longer than the device's MTU: a bug of the sender */
unsigned link_oversized(const struct link *l);

#endif
