/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows of SOL_SOCKET that need code. */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "sock/opt.h"

/* ---- what the socket is ------------------------------------------------------------ */

static int get_type(struct opt_call *call, int64_t *ret)
{
    *ret = SOCK_STREAM;
    return 0;
}

static int get_protocol(struct opt_call *call, int64_t *ret)
{
    *ret = IPPROTO_TCP;
    return 0;
}

static int get_domain(struct opt_call *call, int64_t *ret)
{
    *ret = call->s->family;
    return 0;
}

static int get_acceptconn(struct opt_call *call, int64_t *ret)
{
    *ret = call->s->state == SOCK_LISTENING;
    return 0;
}

static int get_error(struct opt_call *call, int64_t *ret)
{
    *ret = sock_error(call->s);
    return 0;
}

const struct opt_code opt_code_type = { .get = get_type };
const struct opt_code opt_code_protocol = { .get = get_protocol };
const struct opt_code opt_code_domain = { .get = get_domain };
const struct opt_code opt_code_acceptconn = { .get = get_acceptconn };
const struct opt_code opt_code_error = { .get = get_error };

/* ---- buffers: from here on their size is the program's, and no auto-tuning ------------ */

/* A negative size is a huge one, as illumos reads it. */
static bool fits_max_buf(const struct opt_call *call, int64_t bytes)
{
    return bytes >= 0 && bytes <= call->s->table->tun->max_buf;
}

static int set_sndbuf(struct opt_call *call, int64_t bytes)
{
    if (!fits_max_buf(call, bytes))
        return -ENOBUFS;
    call->config->snd_buf_bytes = (uint32_t)MAX(bytes, 1); /* with 0 nothing could ever leave */
    call->config->snd_buf_fixed = 1;
    return 0;
}

static int get_sndbuf(struct opt_call *call, int64_t *ret)
{
    *ret = call->config->snd_buf_bytes;
    return 0;
}

/* The scale was settled by the SYNs: no larger window can be offered than it allows. */
static int64_t window_limit(const struct sock *s)
{
    struct tcp_conn_info info;

    if (!s->conn || s->state == SOCK_CONNECTING)
        return INT64_MAX;
    tcp_conn_info(s->conn, &info);
    return (int64_t)UINT16_MAX << (info.wscale ? info.rcv_wscale : 0);
}

static int set_rcvbuf(struct opt_call *call, int64_t bytes)
{
    if (bytes == 0)
        return -EINVAL;
    if (!fits_max_buf(call, bytes))
        return -ENOBUFS;
    call->config->rcv_buf_bytes = (uint32_t)MIN(bytes, window_limit(call->s));
    call->config->rcv_buf_fixed = 1;
    return 0;
}

static int get_rcvbuf(struct opt_call *call, int64_t *ret)
{
    *ret = call->config->rcv_buf_bytes;
    return 0;
}

const struct opt_code opt_code_sndbuf = { .set = set_sndbuf, .get = get_sndbuf };
const struct opt_code opt_code_rcvbuf = { .set = set_rcvbuf, .get = get_rcvbuf };

/* ---- SO_LINGER --------------------------------------------------------------------------- */

static int set_linger(struct opt_call *call, const void *val, uint32_t len)
{
    struct linger linger;

    if (len != sizeof(linger))
        return -EINVAL;
    memcpy(&linger, val, sizeof(linger));
    call->s->opts.linger_on = linger.l_onoff != 0;
    /* Not range-checked (illumos); a negative time is no time that ever ends. */
    call->s->opts.linger_sec = linger.l_linger < 0 ? INT32_MAX : (uint32_t)linger.l_linger;
    return 0;
}

static int get_linger(struct opt_call *call, void *ret, uint32_t *len)
{
    const struct sock_opts *opts = &call->s->opts;
    struct linger linger = { .l_onoff = (int)opts->linger_on, .l_linger = (int)opts->linger_sec };

    opt_copy_out(ret, len, &linger, sizeof(linger));
    return 0;
}

const struct opt_code opt_code_linger = { .set_bytes = set_linger, .get_bytes = get_linger };

/* ---- SO_BINDTODEVICE ------------------------------------------------------------------------ */

/* A connection that changes its device needs the way over the new one. */
static int reroute(struct opt_call *call)
{
    const struct sock_world *world = &call->s->table->world;
    struct tcp_conn *conn = call->s->conn;
    struct path path;
    int r;

    if (!conn)
        return 0;
    r = world->route(world->ctx, tcp_conn_flow(conn), call->config->bound_ifindex, &path);
    if (r < 0)
        return r;
    tcp_conn_set_path(conn, &path, call->now);
    return 0;
}

/* An empty name takes the binding back. */
static int set_bindtodevice(struct opt_call *call, const void *val, uint32_t len)
{
    const struct sock_world *world = &call->s->table->world;
    char name[IF_NAMESIZE + 1] = "";
    int ifindex = 0;

    memcpy(name, val, MIN(len, (uint32_t)IF_NAMESIZE));
    if (strlen(name) >= IF_NAMESIZE)
        return -EINVAL;
    if (name[0] != '\0')
        ifindex = world->ifindex ? world->ifindex(world->ctx, name) : -ENODEV;
    if (ifindex < 0)
        return ifindex;
    call->config->bound_ifindex = (uint32_t)ifindex;
    return reroute(call);
}

static int get_bindtodevice(struct opt_call *call, void *ret, uint32_t *len)
{
    const struct sock_world *world = &call->s->table->world;
    char name[IF_NAMESIZE] = "";
    int r = 0;

    if (call->config->bound_ifindex == 0) {
        *len = 0;
        return 0;
    }
    r = world->ifname ? world->ifname(world->ctx, call->config->bound_ifindex, name) : -ENODEV;
    if (r < 0)
        return r;
    opt_copy_out(ret, len, name, (uint32_t)strnlen(name, sizeof(name) - 1) + 1);
    return 0;
}

/* IP_BOUND_IF, IPV6_BOUND_IF: the same by number; 0 takes it back. A device there is not: ENXIO. */
static int set_bound_if(struct opt_call *call, int64_t ifindex)
{
    const struct sock_world *world = &call->s->table->world;
    char name[IF_NAMESIZE];

    if (ifindex && (!world->ifname || world->ifname(world->ctx, (uint32_t)ifindex, name) < 0))
        return -ENXIO;
    call->config->bound_ifindex = (uint32_t)ifindex;
    return reroute(call);
}

static int get_bound_if(struct opt_call *call, int64_t *ret)
{
    *ret = call->config->bound_ifindex;
    return 0;
}

const struct opt_code opt_code_bound_if = { .set = set_bound_if, .get = get_bound_if };

const struct opt_code opt_code_bindtodevice = {
    .set_bytes = set_bindtodevice,
    .get_bytes = get_bindtodevice,
};
