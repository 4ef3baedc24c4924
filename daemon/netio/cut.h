/* SPDX-License-Identifier: BSD-2-Clause */
/* A piece of a packet as a packet of its own: software segmentation. */
#ifndef TCPD_NETIO_CUT_H
#define TCPD_NETIO_CUT_H

#include "wire/packet.h"

/**
 * cut_slice() - the payload bytes [from, from + len) of @pkt as a packet
 * @pkt:   one that goes out; borrowed, and its payload stays borrowed by @ret
 * @from:  below pkt->payload_len, or 0
 * @len:   shortened to what there is
 *
 * Sequence number, iovecs and lengths are moved. As RFC 9293 3.10 and RFC 3168
 * 6.1.2 want them: FIN and PSH stay with the last byte, CWR with the first, the
 * urgent pointer points to the same place. PACKET_SUPER stays where the slice is
 * longer than gso_size. The header's options are repeated; its checksum is 0.
 */
void cut_slice(const struct packet *pkt, uint32_t from, uint32_t len, struct packet *ret);

#endif
