/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The only includer of ev.h. Watchers only note what is ready; an ev_check of
 * the lowest priority runs after all of them and is the wake-up. An ev_idle
 * keeps libev from sleeping while something remains.
 */
#include "loop/loop.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/list.h"

struct watch {
    struct ev_io io;
    struct list node;
    struct loop *loop;
    enum loop_for what;
    unsigned bit;
};

struct loop {
    struct ev_loop *ev;
    struct ev_check check;
    struct ev_timer timer;
    struct ev_idle idle;
    struct loop_handler handler;
    struct list watches;
    usec_t armed_for;
    unsigned due;
};

usec_t loop_now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_BOOTTIME, &ts);
    return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

static void on_io(struct ev_loop *ev, struct ev_io *io, int revents)
{
    struct watch *w = CONTAINER_OF(io, struct watch, io);

    w->loop->due |= w->bit;
    if (w->what == LOOP_WRITE_ONCE)
        ev_io_stop(ev, io);
}

static void on_timer(struct ev_loop *ev, struct ev_timer *timer, int revents)
{
    CONTAINER_OF(timer, struct loop, timer)->armed_for = USEC_NEVER;
}

static void on_idle(struct ev_loop *ev, struct ev_idle *idle, int revents)
{
    /* That it is active is its whole effect. */
}

static void on_check(struct ev_loop *ev, struct ev_check *check, int revents)
{
    struct loop *l = CONTAINER_OF(check, struct loop, check);
    const unsigned due = l->due;

    l->due = 0;
    ev_idle_stop(ev, &l->idle);
    l->handler.wake(l->handler.ctx, due, loop_now());
}

int loop_new(const struct loop_handler *handler, struct loop **ret)
{
    struct loop *l = calloc(1, sizeof(*l));

    if (!l)
        return -ENOMEM;
    l->ev = ev_loop_new(EVFLAG_NOENV);
    if (!l->ev) {
        free(l);
        return -ENOMEM;
    }
    l->handler = *handler;
    l->armed_for = USEC_NEVER;
    list_init(&l->watches);
    ev_timer_init(&l->timer, on_timer, 0., 0.);
    ev_idle_init(&l->idle, on_idle);
    ev_check_init(&l->check, on_check);
    ev_set_priority(&l->check, EV_MINPRI);
    ev_check_start(l->ev, &l->check);
    *ret = l;
    return 0;
}

struct loop *loop_free(struct loop *l)
{
    struct list *n;

    if (!l)
        return NULL;
    while ((n = list_pop(&l->watches))) {
        struct watch *w = LIST_ENTRY(n, struct watch, node);

        ev_io_stop(l->ev, &w->io);
        free(w);
    }
    ev_loop_destroy(l->ev);
    free(l);
    return NULL;
}

static struct watch *watch_find(struct loop *l, int fd, enum loop_for what)
{
    LIST_FOREACH (n, &l->watches) {
        struct watch *w = LIST_ENTRY(n, struct watch, node);

        if (w->io.fd == fd && w->what == what)
            return w;
    }
    return NULL;
}

int loop_watch(struct loop *l, int fd, enum loop_for what, unsigned bit)
{
    struct watch *w = watch_find(l, fd, what);

    if (!w) {
        w = calloc(1, sizeof(*w));
        if (!w)
            return -ENOMEM;
        w->loop = l;
        w->what = what;
        ev_io_init(&w->io, on_io, fd, what == LOOP_READ ? EV_READ : EV_WRITE);
        list_append(&l->watches, &w->node);
    }
    w->bit = bit;
    ev_io_start(l->ev, &w->io);
    return 0;
}

void loop_wake_now(struct loop *l, unsigned bits)
{
    l->due |= bits;
    ev_idle_start(l->ev, &l->idle);
}

void loop_wake_at(struct loop *l, usec_t now, usec_t deadline)
{
    if (deadline == l->armed_for)
        return;
    l->armed_for = deadline;
    ev_timer_stop(l->ev, &l->timer);
    if (deadline == USEC_NEVER)
        return;
    ev_timer_set(&l->timer, (double)usec_since(now, deadline) / (double)USEC_PER_SEC, 0.);
    ev_timer_start(l->ev, &l->timer);
}

void loop_run(struct loop *l)
{
    (void)ev_run(l->ev, 0);
}

void loop_stop(struct loop *l)
{
    ev_break(l->ev, EVBREAK_ALL);
}
