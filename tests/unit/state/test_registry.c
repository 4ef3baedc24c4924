/* SPDX-License-Identifier: BSD-2-Clause */
#include "cm.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fakes.h"
#include "state/state_internal.h"

struct fix {
    struct state *s;
    struct tcp_engine e;
    struct sock_table t;
};

static int setup(void **state)
{
    const struct state_limits limits = { 8, 256, 1 << 20 };
    struct fix *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(state_create(&limits, &f->s), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fix *f = *state;

    (void)state_free(f->s);
    free(f);
    return 0;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static int some_fd(void)
{
    const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

struct found {
    int fd;
    enum state_fd_kind kind;
    uint64_t arg;
    unsigned count;
};

static void look(void *ctx, int fd, enum state_fd_kind kind, uint64_t arg)
{
    struct found *found = ctx;

    if (fd == found->fd) {
        found->kind = kind;
        found->arg = arg;
    }
    found->count++;
}

static struct found find(struct fix *f, int fd)
{
    struct found found = { .fd = fd };

    state_fd_each(f->s, look, &found);
    return found;
}

static void an_entry_says_what_an_fd_is_for(void **state)
{
    struct fix *f = *state;
    const int fd = some_fd();

    state_fd_add(f->s, fd, STATE_FD_CLAIM, 8080);
    assert_int_equal(find(f, fd).kind, STATE_FD_CLAIM);
    assert_int_equal(find(f, fd).arg, 8080);
    assert_int_equal(find(f, fd).count, 3); /* and the two memfds */
    state_fd_close_later(f->s, fd);
    state_commit(f->s, &f->e, &f->t);
}

static void an_fd_closes_with_the_commit_and_not_before(void **state)
{
    struct fix *f = *state;
    const int fd = some_fd();

    state_fd_add(f->s, fd, STATE_FD_CLIENT, 1);
    state_fd_close_later(f->s, fd);
    state_fd_close_later(f->s, fd); /* twice is once */
    assert_true(is_open(fd));
    assert_int_equal(find(f, fd).kind, STATE_FD_CLIENT);
    state_commit(f->s, &f->e, &f->t);
    assert_false(is_open(fd));
    assert_int_equal(find(f, fd).kind, STATE_FD_NONE);
}

static void a_number_with_a_new_owner_is_not_closed_for_the_old_one(void **state)
{
    struct fix *f = *state;
    const int fd = some_fd();

    state_fd_add(f->s, fd, STATE_FD_CLIENT, 1);
    state_fd_close_later(f->s, fd);
    state_fd_add(f->s, fd, STATE_FD_CLIENT, 2);
    state_commit(f->s, &f->e, &f->t);
    assert_true(is_open(fd));
    assert_int_equal(find(f, fd).arg, 2);
    (void)close(fd);
}

static void a_socket_is_entered_with_its_cookie(void **state)
{
    struct fix *f = *state;
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(getsockopt(pair[0], SOL_SOCKET, SO_COOKIE, &cookie, &len), 0);
    state_fd_add(f->s, pair[0], STATE_FD_CLIENT, 1);
    assert_true(cookie != 0);
    assert_int_equal(f->s->registry.entries[pair[0]].cookie, cookie);
    assert_int_equal(f->s->registry.entries[f->s->memfd].cookie, 0);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

/* The whole life: a worker with a shared fd table opens fds and is killed; the next one sweeps. */
static void a_sweep_leaves_what_the_registry_names(void **state)
{
    struct fix *f = *state;
    int status, named = -1, stray = -1, high = -1, low, n;
    int report[2];
    long pid;

    assert_int_equal(pipe(report), 0);
    state_fd_add(f->s, report[0], STATE_FD_SYSTEM, 0);
    state_fd_add(f->s, report[1], STATE_FD_SYSTEM, 0);
    pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);
    assert_true(pid >= 0);
    if (pid == 0) {
        const int fds[3] = { some_fd(), some_fd(), fcntl(0, F_DUPFD, 200) };

        state_fd_add(f->s, fds[1], STATE_FD_CLIENT, 5);
        (void)!write(report[1], fds, sizeof(fds));
        (void)raise(SIGKILL);
        _exit(0);
    }
    assert_int_equal(waitpid((pid_t)pid, &status, 0), pid);
    n = (int)read(report[0], &stray, sizeof(int)) + (int)read(report[0], &named, sizeof(int)) +
        (int)read(report[0], &high, sizeof(int));
    assert_int_equal(n, 3 * sizeof(int));
    assert_true(is_open(stray) && is_open(named) && is_open(high));

    /* In a process with a table of its own, so that the test's fds live on. */
    pid = fork();
    if (pid == 0) {
        state_fd_sweep(f->s);
        low = is_open(0) && is_open(1) && is_open(2);
        _exit(low && !is_open(stray) && !is_open(high) && is_open(named) && is_open(report[0]) &&
                      is_open(f->s->memfd) && is_open(f->s->arena_fd)
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid((pid_t)pid, &status, 0), pid);
    assert_int_equal(status, 0);
    (void)close(stray);
    (void)close(named);
    (void)close(high);
    (void)close(report[0]);
    (void)close(report[1]);
}

static void a_close_that_was_not_committed_is_forgotten(void **state)
{
    struct fix *f = *state;
    const int fd = some_fd();
    int status;
    pid_t pid;

    state_fd_add(f->s, fd, STATE_FD_CLAIM, 1);
    pid = fork();
    if (pid == 0) {
        state_fd_close_later(f->s, fd);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(state_attach(f->s), 0);
    assert_true(is_open(fd));
    assert_int_equal(find(f, fd).kind, STATE_FD_CLAIM);
    state_fd_close_later(f->s, fd);
    state_commit(f->s, &f->e, &f->t);
    assert_false(is_open(fd));
}

static void numbers_beyond_the_table_are_ignored(void **state)
{
    struct fix *f = *state;

    state_fd_add(f->s, -1, STATE_FD_CLIENT, 1);
    state_fd_add(f->s, 256, STATE_FD_CLIENT, 1);
    state_fd_close_later(f->s, -1);
    state_fd_close_later(f->s, 100000);
    state_commit(f->s, &f->e, &f->t);
    assert_int_equal(find(f, 256).count, 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_entry_says_what_an_fd_is_for),
        TEST(an_fd_closes_with_the_commit_and_not_before),
        TEST(a_number_with_a_new_owner_is_not_closed_for_the_old_one),
        TEST(a_socket_is_entered_with_its_cookie),
        TEST(a_sweep_leaves_what_the_registry_names),
        TEST(a_close_that_was_not_committed_is_forgotten),
        TEST(numbers_beyond_the_table_are_ignored),
    };

    return cmocka_run_group_tests_name("state/registry", tests, NULL, NULL);
}
