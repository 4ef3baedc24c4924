/* SPDX-License-Identifier: BSD-2-Clause */
#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run tcpctl_with_input(struct fake_daemon *d, const char *input, char *args[])
{
    struct run r = {.daemon = d};
    size_t out_len, err_len;
    FILE *in, *out, *err;
    int argc = 0;

    while (args[argc])
        argc++;
    setenv("TCPD_SOCKET", d ? fake_daemon_path(d) : "/nonexistent/tcpd.sock", 1);
    in = fmemopen((char *)input, strlen(input) + 1, "r");
    out = open_memstream(&r.out, &out_len);
    err = open_memstream(&r.err, &err_len);
    r.status = ctl_main(argc, args, in, out, err);
    fclose(in);
    fclose(out);
    fclose(err);
    if (d)
        fake_daemon_stop(d);
    return r;
}

struct run tcpctl(struct fake_daemon *d, char *args[])
{
    return tcpctl_with_input(d, "", args);
}

void done(struct run *r)
{
    free(r->out);
    free(r->err);
    if (r->daemon)
        fake_daemon_free(r->daemon);
}

struct fake_daemon *answering(Tcpd__V1__Reply *reply)
{
    static Tcpd__V1__Reply *replies[1];

    replies[0] = reply;
    return fake_daemon_new(replies, 1);
}
