/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>

#include "cli/ctl.h"
#include "cli/out.h"

static void print_duration(FILE *out, uint64_t usec)
{
    uint64_t sec = usec / 1000000;

    if (sec >= 86400)
        fprintf(out, "%" PRIu64 " d ", sec / 86400);
    if (sec >= 3600)
        fprintf(out, "%" PRIu64 " h ", sec / 3600 % 24);
    if (sec >= 60)
        fprintf(out, "%" PRIu64 " min ", sec / 60 % 60);
    fprintf(out, "%" PRIu64 " s", sec % 60);
}

static void print(FILE *out, const Tcpd__V1__StatusReply *s)
{
    fprintf(out, "tcpd %s, up ", s->version);
    print_duration(out, s->uptime_usec);
    fprintf(out, "\n");
    fprintf(out, "supervisor   pid %" PRIu32 "\n", s->supervisor_pid);
    fprintf(out, "worker       pid %" PRIu32 ", start %" PRIu32 ", generation %" PRIu64 "\n",
            s->worker_pid, s->worker_starts, s->generation);
    fprintf(out,
            "sockets      %" PRIu32 ": %" PRIu32 " listeners, %" PRIu32 " connections, %" PRIu32
            " sessions\n",
            s->sockets, s->listeners, s->connections, s->sessions);
    fprintf(out, "descriptors  %" PRIu32 " of %" PRIu32 ", %" PRIu32 " of them port claims\n",
            s->fds_used, s->fds_limit, s->port_claims);
    fprintf(out, "buffers      %" PRIu64 " bytes\n", s->arena_bytes);
    if (s->n_netio > 0) {
        fprintf(out, "\n");
        out_pairs(out, s->netio, s->n_netio);
    }
}

int cmd_status(struct ctl *ctl, int argc, char *argv[])
{
    Tcpd__V1__StatusRequest status = TCPD__V1__STATUS_REQUEST__INIT;
    Tcpd__V1__Request req = TCPD__V1__REQUEST__INIT;
    struct ctl_reply reply = {0};
    int r;

    if (argc > 1)
        return ctl_usage(ctl, "status takes no arguments, but got '%s'", argv[1]);

    req.call_case = TCPD__V1__REQUEST__CALL_STATUS;
    req.status = &status;
    r = ctl_call(ctl, "status", &req, &reply);
    if (r == CTL_DONE) {
        const Tcpd__V1__Reply *part = reply.parts[0];

        if (part->result_case != TCPD__V1__REPLY__RESULT_STATUS_INFO) {
            fprintf(ctl->err, "tcpctl: status: the daemon answered something else\n");
            r = CTL_FAILED;
        } else if (ctl->json) {
            const ProtobufCMessage *msg = &part->status_info->base;

            out_json(ctl->out, &msg, 1);
        } else {
            print(ctl->out, part->status_info);
        }
    }
    ctl_reply_free(&reply);
    return r;
}
