/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Properties, in ipadm's spelling and in ndd's. Reading is free; changing is for
 * administrators. Nothing is kept over a restart of the whole daemon here, so a
 * change that is asked to persist is refused rather than made half.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/tunables.h"
#include "rpc/session.h"

#define ROWS_IN_A_PART 8 /* a row is below six values, a value below TUNABLE_TEXT_MAX */

struct row {
    Tcpd__V1__Tunable msg;
    char name[64];
    char current[TUNABLE_TEXT_MAX], number[TUNABLE_TEXT_MAX];
    char initial[TUNABLE_TEXT_MAX], possible[TUNABLE_TEXT_MAX];
};

static char *text(const char *s)
{
    return (char *)(uintptr_t)(s ? s : "");
}

static void row_fill(const struct tunables *tun, const struct tunable_info *info, const char *ndd,
                     enum tunable_perm perm, struct row *row)
{
    Tcpd__V1__Tunable *m = &row->msg;

    row->current[0] = row->number[0] = row->initial[0] = row->possible[0] = '\0';
    /* What cannot be read (write only) has no current value. */
    if (tunable_get_text(tun, info, row->current, sizeof(row->current)) < 0)
        row->current[0] = '\0';
    if (tunable_get_number(tun, info, row->number, sizeof(row->number)) < 0)
        row->number[0] = '\0';
    tunable_default_text(info, row->initial, sizeof(row->initial));
    tunable_possible_text(tun, info, row->possible, sizeof(row->possible));
    tcpd__v1__tunable__init(m);
    m->name = text(info->name);
    m->ndd_name = text(ndd);
    m->perm = text(tunable_perm_text(perm));
    m->type = text(tunable_type_text(info->type));
    m->unit = text(info->unit);
    m->current = row->current;
    m->default_value = row->initial;
    m->possible = row->possible;
    m->help = text(info->help);
    m->per_endpoint = info->read == TUNABLE_COPY;
    m->number = row->number;
}

/* ---- replies, in parts ----------------------------------------------------------------- */

struct table {
    struct call *c;
    struct row *rows;
    Tcpd__V1__Tunable *at[ROWS_IN_A_PART];
    size_t n;
};

static void table_send(struct table *t, bool more)
{
    Tcpd__V1__TunableReply result = TCPD__V1__TUNABLE_REPLY__INIT;
    Tcpd__V1__Reply reply = TCPD__V1__REPLY__INIT;

    result.tunables = t->at;
    result.n_tunables = t->n;
    reply.id = t->c->req->id;
    reply.more = more;
    reply.result_case = TCPD__V1__REPLY__RESULT_TUNABLE;
    reply.tunable = &result;
    call_reply(t->c->rpc, t->c->session, &reply, 0, -1);
    t->n = 0;
}

static void table_add(struct table *t, const struct tunable_info *info, const char *ndd,
                      enum tunable_perm perm)
{
    struct row *row;

    if (t->n == ROWS_IN_A_PART)
        table_send(t, true);
    row = &t->rows[t->n];
    if (ndd) {
        strncpy(row->name, ndd, sizeof(row->name) - 1);
        row->name[sizeof(row->name) - 1] = '\0';
        ndd = row->name;
    }
    row_fill(t->c->rpc->init.tun, info, ndd, perm, row);
    t->at[t->n++] = &row->msg;
}

static void table_add_all(struct table *t, bool by_ndd)
{
    const struct tunable_info *info;
    struct tunable_ndd ndd;

    for (size_t i = 0; by_ndd && tunable_ndd_at(i, &ndd) == 0; i++)
        table_add(t, ndd.info, ndd.name, ndd.perm);
    for (size_t i = 0; !by_ndd && (info = tunable_info_at(i)); i++)
        if (info->obeyed != TUNABLE_PENDING)
            table_add(t, info, info->ndd_name, info->perm);
}

static int read_rows(struct call *c, const struct tunable_ndd *one)
{
    struct table t = { .c = c };

    t.rows = calloc(ROWS_IN_A_PART, sizeof(*t.rows));
    if (!t.rows)
        return -ENOMEM;
    if (one)
        table_add(&t, one->info, one->name[0] ? one->name : one->info->ndd_name, one->perm);
    else
        table_add_all(&t, c->req->tunable->ndd);
    table_send(&t, false);
    free(t.rows);
    return CALL_ANSWERED;
}

/* ---- finding ------------------------------------------------------------------------------ */

static bool is_pending(const char *name)
{
    const struct tunable_info *info;

    for (size_t i = 0; (info = tunable_info_at(i)); i++)
        if (info->obeyed == TUNABLE_PENDING &&
            (strcmp(info->name, name) == 0 || (info->ndd_name && !strcmp(info->ndd_name, name))))
            return true;
    return false;
}

/* By ndd's spelling if the request says so, else by ipadm's. */
static int find(struct call *c, struct tunable_ndd *ret)
{
    const Tcpd__V1__TunableRequest *req = c->req->tunable;

    *ret = (struct tunable_ndd){ .edit = TUNABLE_SET };
    if (req->ndd) {
        if (tunable_ndd_find(req->name, ret) == 0)
            return 0;
    } else if ((ret->info = tunable_find(req->name))) {
        ret->perm = ret->info->perm;
        return 0;
    }
    if (is_pending(req->name))
        return call_say(c, -ENOENT, "%.80s: this version of tcpd does not obey it yet, so it "
                        "cannot be read or set", req->name);
    return call_say(c, -ENOENT, "%.80s: no such property", req->name);
}

/* ---- changing ------------------------------------------------------------------------------ */

static int change(struct call *c, const struct tunable_ndd *t)
{
    const Tcpd__V1__TunableRequest *req = c->req->tunable;
    struct tunables *tun = c->rpc->init.tun;

    switch (req->op) {
    case TCPD__V1__TUNABLE_REQUEST__OP__SET:
        return req->ndd ? tunable_edit_number(tun, t, req->value)
                        : tunable_set_text(tun, t->info, req->value);
    case TCPD__V1__TUNABLE_REQUEST__OP__RESET:
        return tunable_reset(tun, t->info);
    case TCPD__V1__TUNABLE_REQUEST__OP__ADD:
        return tunable_add_text(tun, t->info, req->value);
    case TCPD__V1__TUNABLE_REQUEST__OP__REMOVE:
        return tunable_remove_text(tun, t->info, req->value);
    default:
        return -ENOSYS;
    }
}

static int change_as_admin(struct call *c, const struct tunable_ndd *t)
{
    const Tcpd__V1__TunableRequest *req = c->req->tunable;
    int r = call_need_admin(c);

    if (r < 0)
        return r;
    if (!req->ndd && !req->temporary)
        return call_say(c, -EOPNOTSUPP, "this version of tcpd keeps no property over a restart; "
                        "make the change a temporary one");
    r = change(c, t);
    if (r < 0)
        call_say(c, r, "%.80s: %s", req->name, tunable_error_text(-r));
    return r;
}

int svc_tunable(struct call *c)
{
    const Tcpd__V1__TunableRequest *req = c->req->tunable;
    struct tunable_ndd t;
    int r;

    if (req->op == TCPD__V1__TUNABLE_REQUEST__OP__LIST)
        return read_rows(c, NULL);
    r = find(c, &t);
    if (r < 0)
        return r;
    if (req->op != TCPD__V1__TUNABLE_REQUEST__OP__GET)
        return change_as_admin(c, &t);
    if (t.perm == TUNABLE_WO)
        return call_say(c, -EPERM, "%.80s can only be written", req->name);
    return read_rows(c, &t);
}
