/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Supervisor and worker share one fd table (CLONE_FILES) and no memory but the
 * state's memfds. So an fd that the worker opens is there when it is dead, at
 * the same number, and its socket with it. The price: each fd of this process
 * must be in the registry, or a worker's sweep closes it; and this process must
 * not exec, nor open an fd while a worker that is not ready may sweep.
 */
#include "supervisor/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "loop/log.h"
#include "loop/loop.h"
#include "priv/caps.h"
#include "priv/notify.h"
#include "state/state.h"
#include "supervisor/rpc_socket.h"
#include "supervisor/watch.h"

#define SOCKETS_MAX     (1u << 20)
#define ARENA_MIN_BYTES (1ULL << 30)
#define TICK_USEC       (5 * USEC_PER_SEC)
#define STOP_USEC       (10 * USEC_PER_SEC)

struct supervisor {
    struct options *opts;
    supervisor_worker *worker_main;
    struct state *state;
    struct netio_fds netio;
    struct rpc_socket rpc;
    struct watch_state watch;
    int signal_fd, ready_fd;
    usec_t started_at, tick, stop_by;
    uint32_t fd_limit;
    pid_t worker;
    bool ready;      /* this worker serves */
    bool ever_ready; /* some worker did */
    bool stopping;
    int status; /* exit status; -1: go on */
};

/* Stands still with the worker while the host is suspended, as CLOCK_BOOTTIME does not. */
static usec_t awake_now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

/* ---- what a worker needs ----------------------------------------------------------- */

static uint32_t raise_fd_limit(void)
{
    struct rlimit lim = { 1024, 1024 };

    if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < lim.rlim_max) {
        lim.rlim_cur = lim.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &lim) < 0)
            (void)getrlimit(RLIMIT_NOFILE, &lim);
    }
    return (uint32_t)CLAMP(lim.rlim_cur, (rlim_t)64, (rlim_t)1 << 20);
}

/* Twice the memory: the arena is address space, and extents leave gaps. */
static uint64_t arena_bytes(void)
{
    const uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t bytes = ARENA_MIN_BYTES;

    while (bytes < 2 * memory && bytes < 1ULL << 40)
        bytes <<= 1;
    return bytes;
}

static int open_state(struct supervisor *s)
{
    const struct state_limits limits = { SOCKETS_MAX, s->fd_limit, arena_bytes() };
    const int r = state_create(&limits, &s->state);

    if (r)
        log_error("cannot make the shared state: %s", strerror(-r));
    return r;
}

static int open_network(struct supervisor *s)
{
    const int r = netio_open_privileged(&s->netio);

    if (r == -EPERM || r == -EACCES)
        log_error("cannot open raw sockets: %s; run as root or with %s", strerror(-r),
                  caps_names());
    else if (r)
        log_error("cannot open raw sockets: %s", strerror(-r));
    return r;
}

static int open_signals(struct supervisor *s)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return -errno;
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    s->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->signal_fd >= 0 && s->ready_fd >= 0)
        return 0;
    log_error("cannot watch signals: %s", strerror(errno));
    return -errno;
}

static void register_fds(struct supervisor *s)
{
    const struct netio_fds *n = &s->netio;
    const int fds[] = { s->signal_fd, s->ready_fd,     s->rpc.fd,    n->raw4_in,  n->raw6_in,
                        n->raw4_out,  n->raw6_out,     n->icmp4,     n->icmp6,    n->packet_out,
                        n->route,     n->route_events, n->conntrack, n->port_map, n->drop_prog };

    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            state_fd_add(s->state, fds[i], STATE_FD_SYSTEM, 0);
}

static int open_state_dir(const struct options *o)
{
    struct stat st;

    if (mkdir(o->state_dir, 0755) < 0 && errno != EEXIST) {
        log_error("cannot make the state directory %s: %s; choose another with --state-dir",
                  o->state_dir, strerror(errno));
        return -errno;
    }
    if (stat(o->state_dir, &st) < 0 || !S_ISDIR(st.st_mode)) {
        log_error("%s is not a directory; choose another with --state-dir", o->state_dir);
        return -ENOTDIR;
    }
    return 0;
}

/* A closed 0, 1 or 2 would become somebody's socket, and get our messages. */
static int open_standard_fds(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd >= 0 && fd <= 2);
    if (fd < 0)
        return -errno;
    (void)close(fd);
    return 0;
}

/* ---- one worker after the other ---------------------------------------------------- */

static void reload(void *ctx)
{
    (void)options_reload(ctx); /* the supervisor has just read the same file without complaint */
}

/* The child's side of worker_start(). */
static int worker_child(const struct supervisor *s, pid_t supervisor)
{
    const struct worker_init init = {
        .state = s->state,
        .netio = s->netio,
        .rpc_listen_fd = s->rpc.fd,
        .ready_fd = s->ready_fd,
        .private_dir = s->rpc.private_dir,
        .supervisor = supervisor,
        .started_at = s->started_at,
        .strong_iss = s->opts->strong_iss,
        .reload = reload,
        .reload_ctx = s->opts,
    };

    /* Without a supervisor nobody holds the fds: better that all ends close at once. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != supervisor)
        return 1;
    return s->worker_main(&init);
}

static int worker_start(struct supervisor *s)
{
    const pid_t self = getpid();
    const long pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);

    if (pid < 0) {
        log_error("cannot start a worker: %s", strerror(errno));
        return -errno;
    }
    if (pid == 0)
        _exit(worker_child(s, self));
    s->worker = (pid_t)pid;
    s->ready = false;
    watch_started(&s->watch, awake_now());
    log_debug("worker %d started", s->worker);
    return 0;
}

static void worker_is_ready(struct supervisor *s)
{
    uint64_t count;

    if (read(s->ready_fd, &count, sizeof(count)) != sizeof(count) || s->stopping)
        return;
    s->ready = true;
    notify_ready(s->ever_ready ? "Serving, with a new worker" : "Serving");
    if (!s->ever_ready)
        log_info("serving at %s, with at most %u file descriptors: one for each connection and "
                 "each port in use",
                 s->rpc.path, s->fd_limit);
    s->ever_ready = true;
}

static void log_death(pid_t pid, int status)
{
    if (WIFSIGNALED(status))
        log_warning("worker %d was killed by signal %d (%s)", pid, WTERMSIG(status),
                    strsignal(WTERMSIG(status)));
    else
        log_warning("worker %d ended with status %d", pid, WEXITSTATUS(status));
}

static void worker_died(struct supervisor *s, int status)
{
    const pid_t pid = TAKE_FD(s->worker);
    const bool in_order = WIFEXITED(status) && WEXITSTATUS(status) == 0;

    if (s->stopping) {
        if (!in_order)
            log_death(pid, status);
        s->status = 0;
        return;
    }
    log_death(pid, status);
    if (!s->ever_ready && WIFEXITED(status)) {
        s->status = 1; /* it has said what it lacks, and the next one would lack it too */
        return;
    }
    if (watch_died(&s->watch, awake_now())) {
        log_error("%d workers died within %llu s: giving up; the messages above say how",
                  WATCH_DEATHS, WATCH_DEATHS_USEC / USEC_PER_SEC);
        s->status = 1;
        return;
    }
    log_warning("starting another worker");
    if (worker_start(s))
        s->status = 1;
}

static void reap(struct supervisor *s)
{
    pid_t pid;
    int status;

    while (s->status < 0 && (pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == s->worker)
            worker_died(s, status);
}

/* ---- the loop ---------------------------------------------------------------------- */

static void worker_signal(const struct supervisor *s, int sig)
{
    if (s->worker > 0)
        (void)kill(s->worker, sig);
}

static void stop(struct supervisor *s)
{
    if (s->stopping)
        return;
    s->stopping = true;
    s->stop_by = awake_now() + STOP_USEC;
    notify_stopping();
    worker_signal(s, SIGTERM);
}

static void take_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;

    while (read(s->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGCHLD) {
            reap(s);
        } else if (info.ssi_signo == SIGHUP) {
            if (options_reload(s->opts) == 0)
                worker_signal(s, SIGHUP);
        } else {
            stop(s);
        }
    }
}

static void look_after_worker(struct supervisor *s)
{
    const usec_t now = awake_now();

    if (s->worker <= 0)
        return;
    if (watch_silent(&s->watch, state_last_heartbeat(s->state), now)) {
        log_error("worker %d gave no sign of life for %llu s: killing it", s->worker,
                  WATCH_SILENCE_USEC / USEC_PER_SEC);
        watch_started(&s->watch, now);
        worker_signal(s, SIGKILL);
    } else if (s->stopping && now >= s->stop_by) {
        log_warning("worker %d does not end: killing it", s->worker);
        worker_signal(s, SIGKILL);
        s->stop_by = now + STOP_USEC;
    } else if (s->ready && notify_watchdog_interval()) {
        notify_watchdog();
    }
}

static void supervise(struct supervisor *s)
{
    struct pollfd fds[] = {
        { .fd = s->signal_fd, .events = POLLIN },
        { .fd = s->ready_fd, .events = POLLIN },
    };

    while (s->status < 0) {
        const int n = poll(fds, ARRAY_LEN(fds), (int)usec_to_msec(s->tick));

        if (n > 0 && fds[1].revents)
            worker_is_ready(s);
        if (n > 0 && fds[0].revents)
            take_signals(s);
        look_after_worker(s);
    }
}

static int open_all(struct supervisor *s)
{
    int r = open_standard_fds();

    s->fd_limit = raise_fd_limit();
    r = r ? r : open_network(s);
    r = r ? r : open_state_dir(s->opts);
    r = r ? r : open_state(s);
    r = r ? r : open_signals(s);
    r = r ? r : rpc_socket_open(&s->rpc, s->opts->socket);
    if (!r)
        register_fds(s);
    return r;
}

int supervisor_run(struct options *o, supervisor_worker *worker)
{
    struct supervisor s = {
        .opts = o,
        .worker_main = worker,
        .rpc = { .fd = -1 },
        .signal_fd = -1,
        .ready_fd = -1,
        .started_at = loop_now(),
        .tick = TICK_USEC,
        .worker = -1,
        .status = -1,
    };

    if (notify_watchdog_interval())
        s.tick = usec_min(s.tick, notify_watchdog_interval());
    if (open_all(&s) == 0 && worker_start(&s) == 0)
        supervise(&s);
    else
        s.status = 1;
    rpc_socket_close(&s.rpc);
    s.state = state_free(s.state);
    return s.status;
}
