/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NET_RAW: raw and packet sockets. NET_ADMIN: marks, forced buffer sizes,
 * conntrack. NET_BIND_SERVICE: claims of privileged ports. The user stays who it
 * is: without CAP_SETUID, DAC_OVERRIDE and the rest, root is an owner of files.
 */
#include "priv/caps.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "base/cleanup.h"

static const cap_value_t kept[] = { CAP_NET_RAW, CAP_NET_ADMIN, CAP_NET_BIND_SERVICE };

const char *caps_names(void)
{
    return "CAP_NET_RAW, CAP_NET_ADMIN and CAP_NET_BIND_SERVICE";
}

static void capsp(cap_t *caps)
{
    if (*caps)
        (void)cap_free(*caps);
}

static bool is_kept(cap_value_t cap)
{
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (kept[i] == cap)
            return true;
    return false;
}

int caps_drop(void)
{
    _cleanup_(capsp) cap_t caps = NULL;

    /* The bounding set bounds what execve could bring back; only CAP_SETPCAP may shrink it, and
     * no_new_privs says the same where that is missing. */
    for (cap_value_t cap = 0; cap_get_bound(cap) >= 0; cap++)
        if (!is_kept(cap))
            (void)cap_drop_bound(cap);
    (void)cap_reset_ambient();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;

    caps = cap_init();
    if (!caps)
        return -ENOMEM;
    if (cap_set_flag(caps, CAP_PERMITTED, ARRAY_LEN(kept), kept, CAP_SET) < 0 ||
        cap_set_flag(caps, CAP_EFFECTIVE, ARRAY_LEN(kept), kept, CAP_SET) < 0 ||
        cap_set_proc(caps) < 0)
        return -errno;
    return 0;
}
