/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers of the options of a tcpd socket. An option that Linux has keeps its Linux
 * number, and its name from <sys/socket.h>, <netinet/in.h> or here. One that only
 * illumos has is 0x1000 plus its illumos number (SO_EXCLBIND: illumos' own number).
 * What each does: tcp(4P).
 *
 * May be included together with <netinet/tcp.h> or <linux/tcp.h>, in any order.
 */
#ifndef TCPD_TCP_H
#define TCPD_TCP_H

#include <netinet/in.h>
#include <sys/socket.h>

/* ---- SOL_SOCKET ---------------------------------------------------------------- */
#define SO_EXCLBIND      0x1015 /* int: no other socket on the port */
#define SO_USELOOPBACK   0x1040 /* int: no effect */
#define SO_DGRAM_ERRIND  0x1200 /* int: no effect */

/* ---- IPPROTO_TCP, Linux ----------------------------------------------------------- */
#ifndef TCP_NODELAY
#define TCP_NODELAY 1 /* int: do not wait to fill a segment */
#endif
#ifndef TCP_MAXSEG
#define TCP_MAXSEG 2 /* int, bytes */
#endif
#ifndef TCP_CORK
#define TCP_CORK 3 /* int: send full segments only */
#endif
#ifndef TCP_KEEPIDLE
#define TCP_KEEPIDLE 4 /* int, seconds */
#endif
#ifndef TCP_KEEPINTVL
#define TCP_KEEPINTVL 5 /* int, seconds */
#endif
#ifndef TCP_KEEPCNT
#define TCP_KEEPCNT 6 /* int */
#endif
#ifndef TCP_LINGER2
#define TCP_LINGER2 8 /* int, seconds in FIN-WAIT-2 after close */
#endif
#ifndef TCP_INFO
#define TCP_INFO 11 /* struct tcp_info, read only */
#endif
#ifndef TCP_QUICKACK
#define TCP_QUICKACK 12 /* int: acknowledge at once */
#endif
#ifndef TCP_CONGESTION
#define TCP_CONGESTION 13 /* char[]: newreno, cubic */
#endif
#ifndef TCP_MD5SIG
#define TCP_MD5SIG 14
#endif
#ifndef TCP_USER_TIMEOUT
#define TCP_USER_TIMEOUT 18 /* unsigned, milliseconds */
#endif

/* ---- IPPROTO_TCP, illumos; times are in milliseconds -------------------------------- */
#define TCP_NOTIFY_THRESHOLD          0x1010
#define TCP_ABORT_THRESHOLD           0x1011
#define TCP_CONN_NOTIFY_THRESHOLD     0x1012
#define TCP_CONN_ABORT_THRESHOLD      0x1013
#define TCP_RECVDSTADDR               0x1014
#define TCP_INIT_CWND                 0x1015 /* segments */
#define TCP_KEEPALIVE_THRESHOLD       0x1016
#define TCP_KEEPALIVE_ABORT_THRESHOLD 0x1017
#define TCP_RTO_INITIAL               0x1019
#define TCP_RTO_MIN                   0x101a
#define TCP_RTO_MAX                   0x101b
#define TCP_ANONPRIVBIND              0x1020
#define TCP_EXCLBIND                  0x1021

/* ---- IPPROTO_IP, illumos --------------------------------------------------------------- */
#define IP_NEXTHOP    0x1019
#define IP_DONTFRAG   0x101b
#define IP_SEC_OPT    0x1022
#define IP_BOUND_IF   0x1041
#define IP_UNSPEC_SRC 0x1042

/* ---- IPPROTO_IPV6: what some headers lack, then illumos ---------------------------------- */
#ifndef IPV6_MINHOPCOUNT
#define IPV6_MINHOPCOUNT 73
#endif
#define IPV6_RECVRTHDRDSTOPTS 0x1017
#define IPV6_USE_MIN_MTU      0x1020
#define IPV6_SEC_OPT          0x1022
#define IPV6_SRC_PREFERENCES  0x1023
#define IPV6_BOUND_IF         0x1041
#define IPV6_UNSPEC_SRC       0x1042

#endif
