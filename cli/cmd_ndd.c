/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ndd as illumos has it: its grammar, its output, its texts of errors.
 *
 *     ndd [-get] MODULE NAME...       ndd -set MODULE NAME VALUE
 *     ndd MODULE                      ask for names until an empty line or q
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/ctl.h"
#include "cli/out.h"
#include "proto/errors.h"
#include "proto/tunables.h"

#define OP(op) TCPD__V1__TUNABLE_REQUEST__OP__##op

static int usage(struct ctl *ctl)
{
    fprintf(ctl->err, "usage: ndd -set device_name name value | "
                      "ndd [-get] device_name name [name ...]\n");
    return CTL_USAGE;
}

/* Asks; the daemon's refusal becomes ndd's line. */
static int ask(struct ctl *ctl, Tcpd__V1__TunableRequest *tunable, struct ctl_reply *reply)
{
    Tcpd__V1__Request req = TCPD__V1__REQUEST__INIT;
    int r;

    tunable->ndd = true;
    req.call_case = TCPD__V1__REQUEST__CALL_TUNABLE;
    req.tunable = tunable;
    r = ctl_send(ctl, &req, reply);
    if (r)
        return r;
    if (reply->status == ERROR_OK)
        return CTL_DONE;
    fprintf(ctl->err, "operation failed: %s\n", tunable_error_text(error_to_errno(reply->status)));
    return CTL_FAILED;
}

/* ---- printing -------------------------------------------------------------------------- */

static const char *perm_words(const char *perm)
{
    if (strcmp(perm, "r-") == 0)
        return "(read only)";
    if (strcmp(perm, "-w") == 0)
        return "(write only)";
    return "(read and write)";
}

static void print_name(FILE *out, const Tcpd__V1__Tunable *t)
{
    if (t->ndd_name[0])
        fprintf(out, "%-30s %s\n", t->ndd_name, perm_words(t->perm));
}

static void print_value(FILE *out, const Tcpd__V1__Tunable *t)
{
    bool list = strcmp(t->type, "list") == 0;

    for (const char *p = t->number; *p; p++)
        fputc(list && *p == ',' ? '\n' : *p, out);
    fputc('\n', out);
}

static int print_json(struct ctl *ctl, const struct ctl_reply *reply)
{
    _cleanup_(freep) const ProtobufCMessage **messages = NULL;
    size_t n = 0;

    messages = calloc(reply->n_parts, sizeof(*messages));
    if (!messages) {
        fprintf(ctl->err, "tcpctl: ndd: out of memory\n");
        return CTL_FAILED;
    }
    for (size_t i = 0; i < reply->n_parts; i++)
        if (reply->parts[i]->result_case == TCPD__V1__REPLY__RESULT_TUNABLE)
            messages[n++] = &reply->parts[i]->tunable->base;
    if (n > 0)
        out_json(ctl->out, messages, n);
    return CTL_DONE;
}

static int print_reply(struct ctl *ctl, const struct ctl_reply *reply,
                       void (*print)(FILE *, const Tcpd__V1__Tunable *))
{
    if (ctl->json)
        return print_json(ctl, reply);
    for (size_t i = 0; i < reply->n_parts; i++) {
        const Tcpd__V1__Reply *part = reply->parts[i];

        if (part->result_case != TCPD__V1__REPLY__RESULT_TUNABLE)
            continue;
        for (size_t n = 0; n < part->tunable->n_tunables; n++)
            print(ctl->out, part->tunable->tunables[n]);
    }
    return CTL_DONE;
}

/* ---- get and set ------------------------------------------------------------------------- */

static int get(struct ctl *ctl, char *name)
{
    Tcpd__V1__TunableRequest tunable = TCPD__V1__TUNABLE_REQUEST__INIT;
    struct ctl_reply reply = {0};
    bool list = strcmp(name, "?") == 0;
    int r;

    tunable.op = list ? OP(LIST) : OP(GET);
    if (!list)
        tunable.name = name;
    r = ask(ctl, &tunable, &reply);
    if (r == CTL_DONE)
        r = print_reply(ctl, &reply, list ? print_name : print_value);
    ctl_reply_free(&reply);
    return r;
}

static int get_all(struct ctl *ctl, int n, char *names[])
{
    for (int i = 0; i < n; i++) {
        int r;

        if (i > 0 && !ctl->json)
            fputc('\n', ctl->out);
        r = get(ctl, names[i]);
        if (r)
            return r;
    }
    return CTL_DONE;
}

static int set(struct ctl *ctl, char *name, char *value)
{
    Tcpd__V1__TunableRequest tunable = TCPD__V1__TUNABLE_REQUEST__INIT;
    struct ctl_reply reply = {0};
    int r;

    tunable.op = OP(SET);
    tunable.name = name;
    tunable.value = value;
    tunable.temporary = true; /* ndd never persists */
    r = ask(ctl, &tunable, &reply);
    ctl_reply_free(&reply);
    return r;
}

/* ---- the conversation ------------------------------------------------------------------------ */

/* A line without its end. false: nothing more comes. */
static bool read_line(struct ctl *ctl, const char *prompt, char *buf, size_t size)
{
    fprintf(ctl->out, "%s ", prompt);
    fflush(ctl->out);
    if (!fgets(buf, (int)size, ctl->in))
        return false;
    buf[strcspn(buf, "\n")] = '\0';
    return true;
}

static int converse(struct ctl *ctl)
{
    char name[256], value[1024], length[64];

    for (;;) {
        if (!read_line(ctl, "name to get/set ?", name, sizeof(name)) || !name[0] ||
            strcmp(name, "q") == 0)
            return CTL_DONE;
        if (!read_line(ctl, "value ?", value, sizeof(value)))
            return CTL_DONE;
        /* how much room the value gets: here as much as it needs, whatever is asked for */
        if (!read_line(ctl, "length ?", length, sizeof(length)))
            return CTL_DONE;
        /* what fails has been told; the next name may do better */
        (void)(value[0] ? set(ctl, name, value) : get(ctl, name));
    }
}

static bool is_tcp(const char *module)
{
    const char *slash = strrchr(module, '/');

    if (slash)
        module = slash + 1;
    return strcmp(module, "tcp") == 0 || strcmp(module, "tcp6") == 0;
}

int cmd_ndd(struct ctl *ctl, int argc, char *argv[])
{
    char asked[256];
    const char *module;
    bool writing = false;
    int at = 1;

    if (at < argc && argv[at][0] == '-') {
        if (strncmp(argv[at], "-set", 4) == 0)
            writing = true;
        else if (strncmp(argv[at], "-get", 4) != 0)
            return usage(ctl);
        at++;
        if (at == argc)
            return usage(ctl);
    }

    if (at < argc) {
        module = argv[at++];
    } else {
        if (!read_line(ctl, "module to query ?", asked, sizeof(asked)) || !asked[0])
            return CTL_DONE;
        module = asked;
    }
    if (!is_tcp(module)) {
        fprintf(ctl->err, "tcpctl: ndd: %s: only tcp and tcp6 are tcpd's\n", module);
        return CTL_FAILED;
    }

    if (writing)
        return argc - at < 2 ? usage(ctl) : set(ctl, argv[at], argv[at + 1]);
    return at == argc ? converse(ctl) : get_all(ctl, argc - at, argv + at);
}
