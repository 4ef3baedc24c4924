/* SPDX-License-Identifier: BSD-2-Clause */
/* list, show, drop: what there is, all about one, and its end. */
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "cli/ctl.h"
#include "cli/out.h"

struct list_options {
    bool all;       /* sockets as well that neither listen nor are connected */
    bool listeners; /* nothing but listeners */
    bool v4, v6;    /* of these families only; none of both: any */
    bool numeric;   /* users by number */
};

/* ---- what to show ------------------------------------------------------------------ */

static bool wanted(const struct list_options *o, const Tcpd__V1__Connection *c)
{
    bool idle = strcmp(c->state, "CLOSED") == 0 || strcmp(c->state, "BOUND") == 0 ||
                strcmp(c->state, "IDLE") == 0;
    uint32_t family = c->local ? c->local->family : AF_UNSPEC;

    if (idle && !o->all)
        return false;
    if (o->listeners && strcmp(c->state, "LISTEN") != 0)
        return false;
    if (o->v4 == o->v6)
        return true;
    return family == (o->v4 ? AF_INET : AF_INET6);
}

/* Takes out what is not wanted. */
static void filter(const struct list_options *o, Tcpd__V1__ListReply *list)
{
    size_t n = 0;

    for (size_t i = 0; i < list->n_connections; i++) {
        if (wanted(o, list->connections[i]))
            list->connections[n++] = list->connections[i];
        else
            tcpd__v1__connection__free_unpacked(list->connections[i], NULL);
    }
    list->n_connections = n;
}

/* ---- the table ------------------------------------------------------------------------ */

enum { ID, STATE, RECV_Q, SEND_Q, LOCAL, REMOTE, USER, PID, COLUMNS };

struct row {
    char cell[COLUMNS][OUT_ENDPOINT_MAX];
};

static const char *const heads[COLUMNS] = {"Id",    "State",  "Recv-Q", "Send-Q",
                                           "Local", "Remote", "User",   "Pid"};

static bool is_right(int column)
{
    return column == ID || column == RECV_Q || column == SEND_Q || column == PID;
}

/* An orphan, whose program is gone, has no owner: the daemon says so by the uid of nobody. */
static bool is_orphan(const Tcpd__V1__Connection *c)
{
    return c->uid == UINT32_MAX;
}

static void user_text(uint32_t uid, bool numeric, char *buf, size_t size)
{
    const struct passwd *user = numeric ? NULL : getpwuid(uid);

    if (user)
        snprintf(buf, size, "%s", user->pw_name);
    else
        snprintf(buf, size, "%" PRIu32, uid);
}

static void row_fill(struct row *row, const Tcpd__V1__Connection *c, const struct list_options *o)
{
    const size_t size = sizeof(row->cell[0]);

    snprintf(row->cell[ID], size, "%" PRIu64, c->id);
    snprintf(row->cell[STATE], size, "%s", c->state);
    snprintf(row->cell[RECV_Q], size, "%" PRIu32, c->recv_queue);
    /* as ss(8): of a listener, how many connections wait, and how many may */
    snprintf(row->cell[SEND_Q], size, "%" PRIu32,
             strcmp(c->state, "LISTEN") == 0 ? c->backlog : c->send_queue);
    out_endpoint(c->local, row->cell[LOCAL], size);
    out_endpoint(c->remote, row->cell[REMOTE], size);
    if (is_orphan(c)) {
        snprintf(row->cell[USER], size, "-");
        snprintf(row->cell[PID], size, "-");
        return;
    }
    user_text(c->uid, o->numeric, row->cell[USER], size);
    snprintf(row->cell[PID], size, "%" PRIu32, c->pid);
}

static void row_print(FILE *out, const char *(*cell)(const void *, int), const void *row,
                      const int width[COLUMNS])
{
    for (int i = 0; i < COLUMNS; i++) {
        const char *end = i + 1 < COLUMNS ? "  " : "\n";

        fprintf(out, is_right(i) ? "%*s%s" : "%-*s%s", width[i], cell(row, i), end);
    }
}

static const char *head_cell(const void *row, int column)
{
    return heads[column];
}

static const char *row_cell(const void *row, int column)
{
    return ((const struct row *)row)->cell[column];
}

static void table_print(FILE *out, const struct row *rows, size_t n)
{
    int width[COLUMNS];

    for (int i = 0; i < COLUMNS; i++) {
        width[i] = (int)strlen(heads[i]);
        for (size_t r = 0; r < n; r++)
            width[i] = MAX(width[i], (int)strlen(rows[r].cell[i]));
    }
    row_print(out, head_cell, NULL, width);
    for (size_t r = 0; r < n; r++)
        row_print(out, row_cell, &rows[r], width);
}

/* ---- list --------------------------------------------------------------------------------- */

static int take_list_options(struct ctl *ctl, int argc, char *argv[], struct list_options *ret)
{
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];

        if (arg[0] != '-' || !arg[1])
            return ctl_usage(ctl, "list takes no argument '%s' (see tcpctl --help)", arg);
        for (const char *p = arg + 1; *p; p++) {
            if (*p == 'a')
                ret->all = true;
            else if (*p == 'l')
                ret->listeners = true;
            else if (*p == '4')
                ret->v4 = true;
            else if (*p == '6')
                ret->v6 = true;
            else if (*p == 'n')
                ret->numeric = true;
            else
                return ctl_usage(ctl, "list has no option '%s' (see tcpctl --help)", arg);
        }
    }
    return CTL_DONE;
}

static size_t collect(const struct ctl_reply *reply, const struct list_options *o,
                      const ProtobufCMessage **messages, size_t *ret_parts)
{
    size_t total = 0;

    for (size_t i = 0; i < reply->n_parts; i++) {
        Tcpd__V1__Reply *part = reply->parts[i];

        if (part->result_case != TCPD__V1__REPLY__RESULT_LIST)
            continue;
        filter(o, part->list);
        total += part->list->n_connections;
        messages[(*ret_parts)++] = &part->list->base;
    }
    return total;
}

static int list_print(struct ctl *ctl, const struct list_options *o, const struct ctl_reply *reply)
{
    _cleanup_(freep) const ProtobufCMessage **messages = NULL;
    _cleanup_(freep) struct row *rows = NULL;
    size_t n_parts = 0, n = 0, total;

    messages = calloc(reply->n_parts, sizeof(*messages));
    if (!messages)
        goto no_memory;
    total = collect(reply, o, messages, &n_parts);
    if (n_parts == 0) {
        fprintf(ctl->err, "tcpctl: list: the daemon answered something else\n");
        return CTL_FAILED;
    }
    if (ctl->json) {
        out_json(ctl->out, messages, n_parts);
        return CTL_DONE;
    }

    rows = calloc(total + 1, sizeof(*rows));
    if (!rows)
        goto no_memory;
    for (size_t p = 0; p < n_parts; p++) {
        const Tcpd__V1__ListReply *list = (const Tcpd__V1__ListReply *)messages[p];

        for (size_t i = 0; i < list->n_connections; i++)
            row_fill(&rows[n++], list->connections[i], o);
    }
    table_print(ctl->out, rows, n);
    return CTL_DONE;

no_memory:
    fprintf(ctl->err, "tcpctl: list: out of memory\n");
    return CTL_FAILED;
}

int cmd_list(struct ctl *ctl, int argc, char *argv[])
{
    Tcpd__V1__ListRequest list = TCPD__V1__LIST_REQUEST__INIT;
    Tcpd__V1__Request req = TCPD__V1__REQUEST__INIT;
    struct list_options options = {0};
    struct ctl_reply reply = {0};
    int r;

    r = take_list_options(ctl, argc, argv, &options);
    if (r)
        return r;

    list.listeners = true;
    list.connections = !options.listeners;
    req.call_case = TCPD__V1__REQUEST__CALL_LIST;
    req.list = &list;
    r = ctl_call(ctl, "list", &req, &reply);
    if (r == CTL_DONE)
        r = list_print(ctl, &options, &reply);
    ctl_reply_free(&reply);
    return r;
}

/* ---- one of them --------------------------------------------------------------------- */

static int take_id(struct ctl *ctl, int argc, char *argv[], uint64_t *ret)
{
    char *end;

    if (argc != 2)
        return ctl_usage(ctl, "%s needs one ID, as tcpctl list shows it", argv[0]);
    errno = 0;
    *ret = strtoull(argv[1], &end, 10);
    if (argv[1][0] < '0' || argv[1][0] > '9' || *end || errno)
        return ctl_usage(ctl, "%s: '%s' is not an ID, as tcpctl list shows it", argv[0], argv[1]);
    return CTL_DONE;
}

static int call_with_id(struct ctl *ctl, char *argv[], Tcpd__V1__Request *req,
                        struct ctl_reply *reply)
{
    char what[48];

    snprintf(what, sizeof(what), "%s %s", argv[0], argv[1]);
    return ctl_call(ctl, what, req, reply);
}

int cmd_show(struct ctl *ctl, int argc, char *argv[])
{
    Tcpd__V1__ShowRequest show = TCPD__V1__SHOW_REQUEST__INIT;
    Tcpd__V1__Request req = TCPD__V1__REQUEST__INIT;
    struct ctl_reply reply = {0};
    int r;

    r = take_id(ctl, argc, argv, &show.id);
    if (r)
        return r;
    req.call_case = TCPD__V1__REQUEST__CALL_SHOW;
    req.show = &show;
    r = call_with_id(ctl, argv, &req, &reply);
    if (r == CTL_DONE) {
        const Tcpd__V1__Reply *part = reply.parts[0];

        if (part->result_case != TCPD__V1__REPLY__RESULT_SHOW) {
            fprintf(ctl->err, "tcpctl: show: the daemon answered something else\n");
            r = CTL_FAILED;
        } else if (ctl->json) {
            const ProtobufCMessage *msg = &part->show->base;

            out_json(ctl->out, &msg, 1);
        } else {
            out_fields(ctl->out, &part->show->base);
        }
    }
    ctl_reply_free(&reply);
    return r;
}

int cmd_drop(struct ctl *ctl, int argc, char *argv[])
{
    Tcpd__V1__DropRequest drop = TCPD__V1__DROP_REQUEST__INIT;
    Tcpd__V1__Request req = TCPD__V1__REQUEST__INIT;
    struct ctl_reply reply = {0};
    int r;

    r = take_id(ctl, argc, argv, &drop.id);
    if (r)
        return r;
    req.call_case = TCPD__V1__REQUEST__CALL_DROP;
    req.drop = &drop;
    r = call_with_id(ctl, argv, &req, &reply);
    ctl_reply_free(&reply);
    return r;
}
