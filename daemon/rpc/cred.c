/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who asks, by the kernel's word. The ids come with each message. Groups are those of
 * the process that made the session, and count only while the message comes from the
 * same user. Capabilities have no such word: /proc tells what the process has now, and
 * that is believed only if it is the very process that made the session, in our own
 * user namespace. On any doubt there is no capability.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rpc/session.h"

#define ADMIN_GROUP "tcpd-admin"
#define GROUPS_MAX 256

void cred_init(struct rpc *r)
{
    char buf[4096];
    struct group group, *found = NULL;

    if (getgrnam_r(ADMIN_GROUP, &group, buf, sizeof(buf), &found) == 0 && found) {
        r->has_admin_group = true;
        r->admin_group = found->gr_gid;
    }
}

static bool session_has_group(const struct session *s, gid_t gid)
{
    gid_t groups[GROUPS_MAX];
    socklen_t len = sizeof(groups);

    if (getsockopt(s->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
        return false;
    for (size_t i = 0; i < len / sizeof(groups[0]); i++)
        if (groups[i] == gid)
            return true;
    return false;
}

static bool is_admin(const struct rpc *r, const struct session *s, const struct frame *f)
{
    if (f->uid == 0)
        return true;
    if (!r->has_admin_group)
        return false;
    return f->gid == r->admin_group || (f->uid == s->uid && session_has_group(s, r->admin_group));
}

void cred_of(struct rpc *r, const struct session *s, const struct frame *f, struct cred *ret)
{
    if (!f->has_sender) {
        *ret = (struct cred){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
        return;
    }
    *ret = (struct cred){
        .uid = f->uid,
        .gid = f->gid,
        .pid = f->pid,
        .admin = is_admin(r, s, f),
        .net_admin = f->uid == 0,
        .bind_service = f->uid == 0,
    };
}

/* ---- capabilities ---------------------------------------------------------------- */

static bool read_text(int dir, const char *name, char *buf, size_t size)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return false;
    n = read(fd, buf, size - 1);
    close(fd);
    buf[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* A number that was given to another process since the session was made is not the same. */
static bool is_old_enough(int dir, usec_t since)
{
    char buf[1024], *p;
    unsigned long long ticks;

    if (!read_text(dir, "stat", buf, sizeof(buf)))
        return false;
    p = strrchr(buf, ')'); /* the name may hold anything, a parenthesis too */
    if (!p || sscanf(p + 1, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                            "%*s %*s %llu", &ticks) != 1)
        return false;
    return ticks * (USEC_PER_SEC / (unsigned)sysconf(_SC_CLK_TCK)) <= since;
}

/* /proc/PID/ns/user would say it, but only to a tracer, which we may not be. The map of
 * another user namespace covers fewer ids, unless somebody mightier than it made it so. */
static bool in_our_user_ns(int dir)
{
    char theirs[1024], ours[1024];

    return read_text(dir, "uid_map", theirs, sizeof(theirs)) &&
           read_text(AT_FDCWD, "/proc/self/uid_map", ours, sizeof(ours)) &&
           strcmp(theirs, ours) == 0;
}

/* What a process may do by a program file's set-uid bit or capabilities, its user may not: a
 * request can be sent before such an exec and be read after it. Its /proc is root's then. */
static bool is_own_right(int dir, uid_t uid)
{
    struct stat st;

    return fstat(dir, &st) == 0 && st.st_uid == uid;
}

static bool effective_caps(int dir, uint64_t *ret)
{
    char buf[4096], *p;

    if (!read_text(dir, "status", buf, sizeof(buf)))
        return false;
    p = strstr(buf, "\nCapEff:");
    if (!p)
        return false;
    *ret = strtoull(p + 8, NULL, 16);
    return true;
}

void cred_add_caps(struct call *c)
{
    char path[32];
    uint64_t caps;
    int dir;

    if (c->cred.uid == 0 || c->cred.pid <= 0 || c->cred.pid != c->session->pid)
        return;
    snprintf(path, sizeof(path), "/proc/%ld", (long)c->cred.pid);
    dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return;
    if (is_old_enough(dir, c->session->since) && in_our_user_ns(dir) &&
        effective_caps(dir, &caps) && is_own_right(dir, c->cred.uid)) {
        c->cred.net_admin = (caps >> CAP_NET_ADMIN & 1) != 0;
        c->cred.bind_service = (caps >> CAP_NET_BIND_SERVICE & 1) != 0;
    }
    close(dir);
}
