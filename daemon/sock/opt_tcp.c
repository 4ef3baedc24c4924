/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows of IPPROTO_TCP that need code, without TCP_INFO. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "sock/opt.h"

#define MS_PER_SEC 1000

/* The MSS in use, or the one to start from. */
static uint32_t mss_of(const struct opt_call *call)
{
    const struct tcp_config *config = call->config;
    struct tcp_conn_info info;

    if (call->s->conn) {
        tcp_conn_info(call->s->conn, &info);
        return info.mss;
    }
    if (config->maxseg_bytes != 0)
        return config->maxseg_bytes;
    return call->s->family == AF_INET ? config->mss_def_v4_bytes : config->mss_def_v6_bytes;
}

/* ---- holding back and acknowledging ---------------------------------------------------- */

/* _naglim_def of 1 is Nagle turned off for new endpoints; 0 turns it on, whatever that says. */
static int set_nodelay(struct opt_call *call, int64_t on)
{
    call->config->nodelay = (uint32_t)on;
    if (!on)
        call->config->naglim_bytes = UINT16_MAX;
    return 0;
}

static int get_nodelay(struct opt_call *call, int64_t *ret)
{
    *ret = call->config->nodelay || call->config->naglim_bytes <= 1;
    return 0;
}

static int set_cork(struct opt_call *call, int64_t on)
{
    call->config->cork = (uint32_t)on; /* the engine sends what was held back when it ends */
    return 0;
}

static int get_cork(struct opt_call *call, int64_t *ret)
{
    *ret = call->config->cork;
    return 0;
}

static int set_quickack(struct opt_call *call, int64_t on)
{
    call->config->quickack = (uint32_t)on;
    return 0;
}

static int get_quickack(struct opt_call *call, int64_t *ret)
{
    *ret = call->config->quickack;
    return 0;
}

const struct opt_code opt_code_nodelay = { .set = set_nodelay, .get = get_nodelay };
const struct opt_code opt_code_cork = { .set = set_cork, .get = get_cork };
const struct opt_code opt_code_quickack = { .set = set_quickack, .get = get_quickack };

/* ---- segment and window ------------------------------------------------------------------ */

static int set_maxseg(struct opt_call *call, int64_t bytes)
{
    call->config->maxseg_bytes = (uint32_t)bytes;
    return 0;
}

static int get_maxseg(struct opt_call *call, int64_t *ret)
{
    *ret = mss_of(call);
    return 0;
}

/* More than RFC 3390 allows takes a privilege (tcp.4p). */
static int set_init_cwnd(struct opt_call *call, int64_t segs)
{
    uint32_t formula = CLAMP(4380 / MAX(mss_of(call), 1u), 2u, 4u);

    if (segs > formula && !call->cred->net_admin)
        return -EPERM;
    call->config->init_cwnd_segs = (uint32_t)segs;
    return 0;
}

static int get_init_cwnd(struct opt_call *call, int64_t *ret)
{
    *ret = call->config->init_cwnd_segs;
    return 0;
}

const struct opt_code opt_code_maxseg = { .set = set_maxseg, .get = get_maxseg };
const struct opt_code opt_code_init_cwnd = { .set = set_init_cwnd, .get = get_init_cwnd };

/* ---- TCP_CONGESTION ------------------------------------------------------------------------ */

#define CC_NAME_BYTES 16

static int set_congestion(struct opt_call *call, const void *val, uint32_t len)
{
    static const char *const newreno_aliases[] = { "sunreno", "reno" };
    char name[CC_NAME_BYTES + 1] = "";

    memcpy(name, val, MIN(len, (uint32_t)CC_NAME_BYTES));
    for (size_t i = 0; i < ARRAY_LEN(newreno_aliases); i++) {
        if (strcmp(name, newreno_aliases[i]) == 0) {
            call->config->cc = TCP_CC_NEWRENO;
            return 0;
        }
    }
    for (unsigned id = 0; id <= TCP_CC_CUBIC; id++) {
        if (strcmp(name, tcp_cc_name(id)) == 0) {
            call->config->cc = id;
            return 0;
        }
    }
    return -ENOENT;
}

static int get_congestion(struct opt_call *call, void *ret, uint32_t *len)
{
    char name[CC_NAME_BYTES] = "";

    strncpy(name, tcp_cc_name(call->config->cc), sizeof(name) - 1);
    opt_copy_out(ret, len, name, sizeof(name));
    return 0;
}

const struct opt_code opt_code_congestion = {
    .set_bytes = set_congestion,
    .get_bytes = get_congestion,
};

/* ---- keep-alive ----------------------------------------------------------------
 *
 * TCP_KEEPCNT and TCP_KEEPINTVL together are the abort threshold: their product.
 * The threshold set by itself takes both back. */

static void couple_keepalive(struct tcp_config *config)
{
    uint64_t product = (uint64_t)config->keepalive_count * config->keepalive_intvl_ms;

    if (product != 0)
        config->keepalive_abort_ms = (uint32_t)MIN(product, (uint64_t)UINT32_MAX);
}

static int set_keepcnt(struct opt_call *call, int64_t probes)
{
    call->config->keepalive_count = (uint32_t)probes;
    couple_keepalive(call->config);
    return 0;
}

static int get_keepcnt(struct opt_call *call, int64_t *ret)
{
    *ret = call->config->keepalive_count;
    return 0;
}

static int set_keepintvl(struct opt_call *call, int64_t sec)
{
    call->config->keepalive_intvl_ms = (uint32_t)(sec * MS_PER_SEC);
    couple_keepalive(call->config);
    return 0;
}

static int get_keepintvl(struct opt_call *call, int64_t *ret)
{
    *ret = call->config->keepalive_intvl_ms / MS_PER_SEC;
    return 0;
}

static int set_keepidle(struct opt_call *call, int64_t sec)
{
    call->config->keepalive_ms = (uint32_t)(sec * MS_PER_SEC);
    return 0;
}

static int get_keepidle(struct opt_call *call, int64_t *ret)
{
    *ret = call->config->keepalive_ms / MS_PER_SEC;
    return 0;
}

static int set_keepalive_threshold(struct opt_call *call, int64_t ms)
{
    call->config->keepalive_ms = (uint32_t)ms;
    return 0;
}

static int get_keepalive_threshold(struct opt_call *call, int64_t *ret)
{
    *ret = call->config->keepalive_ms;
    return 0;
}

static int set_keepalive_abort_threshold(struct opt_call *call, int64_t ms)
{
    call->config->keepalive_abort_ms = (uint32_t)ms;
    call->config->keepalive_count = 0;
    call->config->keepalive_intvl_ms = 0;
    return 0;
}

static int get_keepalive_abort_threshold(struct opt_call *call, int64_t *ret)
{
    *ret = call->config->keepalive_abort_ms;
    return 0;
}

const struct opt_code opt_code_keepcnt = { .set = set_keepcnt, .get = get_keepcnt };
const struct opt_code opt_code_keepintvl = { .set = set_keepintvl, .get = get_keepintvl };
const struct opt_code opt_code_keepidle = { .set = set_keepidle, .get = get_keepidle };
const struct opt_code opt_code_keepalive_threshold = {
    .set = set_keepalive_threshold,
    .get = get_keepalive_threshold,
};
const struct opt_code opt_code_keepalive_abort_threshold = {
    .set = set_keepalive_abort_threshold,
    .get = get_keepalive_abort_threshold,
};

/* ---- time-outs: 0 changes nothing, and the three RTO bounds keep their order ----------- */

static int set_rto_initial(struct opt_call *call, int64_t ms)
{
    struct tcp_config *config = call->config;

    if (ms == 0)
        return 0;
    if (ms < config->rto_min_ms || ms > config->rto_max_ms)
        return -EINVAL;
    if (config->conn_abort_ms != 0 && ms > config->conn_abort_ms)
        return -EINVAL;
    config->rto_initial_ms = (uint32_t)ms;
    return 0;
}

static int get_rto_initial(struct opt_call *call, int64_t *ret)
{
    *ret = call->config->rto_initial_ms;
    return 0;
}

static int set_rto_min(struct opt_call *call, int64_t ms)
{
    if (ms == 0)
        return 0;
    if (ms > call->config->rto_max_ms)
        return -EINVAL;
    call->config->rto_min_ms = (uint32_t)ms;
    return 0;
}

static int get_rto_min(struct opt_call *call, int64_t *ret)
{
    *ret = call->config->rto_min_ms;
    return 0;
}

static int set_rto_max(struct opt_call *call, int64_t ms)
{
    struct tcp_config *config = call->config;

    if (ms == 0)
        return 0;
    if (ms < config->rto_min_ms || (config->abort_ms != 0 && ms > config->abort_ms))
        return -EINVAL;
    config->rto_max_ms = (uint32_t)ms;
    return 0;
}

static int get_rto_max(struct opt_call *call, int64_t *ret)
{
    *ret = call->config->rto_max_ms;
    return 0;
}

/* A program may shorten FIN-WAIT-2, never lengthen it (illumos). */
static int set_linger2(struct opt_call *call, int64_t sec)
{
    if (sec == 0)
        return 0;
    if (sec * MS_PER_SEC > call->s->table->tun->fin_wait_2_flush_interval)
        return -EINVAL;
    call->config->fin_wait_2_ms = (uint32_t)(sec * MS_PER_SEC);
    return 0;
}

static int get_linger2(struct opt_call *call, int64_t *ret)
{
    *ret = call->config->fin_wait_2_ms / MS_PER_SEC;
    return 0;
}

const struct opt_code opt_code_rto_initial = { .set = set_rto_initial, .get = get_rto_initial };
const struct opt_code opt_code_rto_min = { .set = set_rto_min, .get = get_rto_min };
const struct opt_code opt_code_rto_max = { .set = set_rto_max, .get = get_rto_max };
const struct opt_code opt_code_linger2 = { .set = set_linger2, .get = get_linger2 };
