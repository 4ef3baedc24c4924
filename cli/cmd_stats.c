/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>

#include "base/cleanup.h"
#include "cli/ctl.h"
#include "cli/out.h"

static int print(struct ctl *ctl, const struct ctl_reply *reply)
{
    _cleanup_(freep) const ProtobufCMessage **messages = NULL;
    size_t n = 0;

    messages = calloc(reply->n_parts, sizeof(*messages));
    if (!messages) {
        fprintf(ctl->err, "tcpctl: stats: out of memory\n");
        return CTL_FAILED;
    }
    for (size_t i = 0; i < reply->n_parts; i++)
        if (reply->parts[i]->result_case == TCPD__V1__REPLY__RESULT_STATS)
            messages[n++] = &reply->parts[i]->stats->base;
    if (n == 0) {
        fprintf(ctl->err, "tcpctl: stats: the daemon answered something else\n");
        return CTL_FAILED;
    }

    if (ctl->json) {
        out_json(ctl->out, messages, n);
        return CTL_DONE;
    }
    for (size_t i = 0; i < n; i++) {
        const Tcpd__V1__StatsReply *stats = (const Tcpd__V1__StatsReply *)messages[i];

        out_pairs(ctl->out, stats->counters, stats->n_counters);
    }
    return CTL_DONE;
}

int cmd_stats(struct ctl *ctl, int argc, char *argv[])
{
    Tcpd__V1__StatsRequest stats = TCPD__V1__STATS_REQUEST__INIT;
    Tcpd__V1__Request req = TCPD__V1__REQUEST__INIT;
    struct ctl_reply reply = {0};
    int r;

    if (argc > 1)
        return ctl_usage(ctl, "stats takes no arguments, but got '%s'", argv[1]);

    req.call_case = TCPD__V1__REQUEST__CALL_STATS;
    req.stats = &stats;
    r = ctl_call(ctl, "stats", &req, &reply);
    if (r == CTL_DONE)
        r = print(ctl, &reply);
    ctl_reply_free(&reply);
    return r;
}
