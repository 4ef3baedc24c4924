/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Neighbours of the rpc room, as small as their headers allow: sockets that remember
 * what was asked of them, a stream room whose descriptors are plain AF_UNIX sockets,
 * and a client that speaks the protocol over a real SOCK_SEQPACKET session.
 */
#ifndef TESTS_UNIT_RPC_FAKE_H
#define TESTS_UNIT_RPC_FAKE_H

#include <sys/types.h>

#include "engine/engine.h"
#include "proto/tcpd.pb-c.h"
#include "proto/tunables.h"
#include "rpc/rpc.h"
#include "sock/sock.h"
#include "state/state.h"
#include "stream/stream.h"

struct tcp_conn {
    uint64_t id;
    struct flow flow;
    uint32_t unacked;
    bool aborted;
};

struct sock {
    uint64_t id;
    int family;
    enum sock_state state;
    struct cred owner;
    struct sock_addr local, peer;
    struct tcp_conn *conn;
    int backlog, so_error, result; /* result: what the next call answers */
    int shut_how;
    uint32_t linger_sec;
    uint32_t untaken;
    int last_level, last_name;
    uint8_t last_value[64];
    uint32_t last_len;
    struct cred last_cred;
    bool closed, aborted;
};

#define FAKE_SOCKS 2000
struct sock_table {
    struct sock *all[FAKE_SOCKS];
    unsigned n;
    int new_result;
};

struct tcp_engine {
    struct tcp_conn *all[16];
    unsigned n;
    struct tcp_counters counters;
};

struct state {
    struct state_global global;
    int later[256];
    unsigned later_n;
};

#define FAKE_FDS 64
struct stream {
    struct {
        uint64_t cookie;
        struct sock *s; /* NULL: fresh */
        int family, error;
        bool dead;
    } fd[FAKE_FDS];
    unsigned n;
    int attach_result, shut_how;
    unsigned connecting;
};

struct world {
    struct sock_table socks;
    struct tcp_engine engine;
    struct state state;
    struct stream stream;
    struct tunables tun;
    struct rpc *rpc;
    int listen_fd;
    char path[64];
    usec_t now;
};

int world_setup(void **state);
int world_teardown(void **state);
struct sock *fake_sock(struct world *w, enum sock_state state);
struct tcp_conn *fake_conn(struct world *w);

/** turn() - wake-ups until there is nothing to do: input, commit, flush */
void turn(struct world *w);

/* ---- a client --------------------------------------------------------------- */

int client(struct world *w);
int client_send(int c, const void *data, size_t len, const int *fds, unsigned n);
/** client_recv() - NULL: nothing there, or the session is closed (errno: EAGAIN or 0) */
Tcpd__V1__Reply *client_recv(int c, int *ret_fd);
int client_request(int c, Tcpd__V1__Request *req, int fd);
/** ask() - request, turn, reply; fails the test if there is no reply */
Tcpd__V1__Reply *ask(struct world *w, int c, Tcpd__V1__Request *req, int fd, int *ret_fd);
void reply_free(Tcpd__V1__Reply *reply);
bool is_closed(int c);
/** fresh() - a descriptor by SocketRequest */
int fresh(struct world *w, int c, int family);
struct sock *sock_behind(struct world *w, int fd);
unsigned open_fds(void);

/* REQ(req, bind, BIND, BindRequest, BIND_REQUEST): a request and its part bind_ */
#define REQ(var, kind, KIND, Type, INIT)                                                           \
    Tcpd__V1__Request var = TCPD__V1__REQUEST__INIT;                                               \
    Tcpd__V1__##Type kind##_ = TCPD__V1__##INIT##__INIT;                                           \
    var.id = 7;                                                                                    \
    var.call_case = TCPD__V1__REQUEST__CALL_##KIND;                                                \
    var.kind = &kind##_

#endif
