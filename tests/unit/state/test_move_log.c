/* SPDX-License-Identifier: BSD-2-Clause */
#include "cm.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fakes.h"
#include "state/state_internal.h"

struct fix {
    struct state *s;
    struct tcp_engine e;
    struct sock_table t;
    int pair[2];
    char bytes[64];
};

static int setup(void **state)
{
    const struct state_limits limits = { 8, 64, 1 << 20 };
    struct fix *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(state_create(&limits, &f->s), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, f->pair), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fix *f = *state;

    (void)close(f->pair[0]);
    (void)close(f->pair[1]);
    (void)state_free(f->s);
    free(f);
    return 0;
}

struct seen {
    unsigned count;
    uint64_t sock_id, pos;
    unsigned len;
};

static void see(void *ctx, const struct state_move *m)
{
    struct seen *seen = ctx;

    seen->count++;
    seen->sock_id = m->sock_id;
    seen->pos = m->pos;
    seen->len = m->msg.msg_len;
}

static struct seen to_replay(struct fix *f)
{
    struct seen seen = { 0 };

    move_log_each(&f->s->moves, state_generation(f->s), see, &seen);
    return seen;
}

static struct state_move *begin_in(struct fix *f, uint64_t sock_id, uint64_t pos)
{
    struct state_move *m = state_move_begin(f->s, STATE_MOVE_IN, sock_id, pos);

    m->iov[0] = (struct iovec){ f->bytes, sizeof(f->bytes) };
    m->msg.msg_hdr.msg_iovlen = 1;
    return m;
}

static void a_move_that_was_made_is_replayed_until_it_is_committed(void **state)
{
    struct fix *f = *state;
    struct state_move *m = begin_in(f, 7, 1000);
    struct seen seen;

    assert_int_equal(write(f->pair[0], "12345", 5), 5);
    assert_int_equal(recvmmsg(f->pair[1], &m->msg, 1, MSG_DONTWAIT, NULL), 1);
    seen = to_replay(f);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.sock_id, 7);
    assert_int_equal(seen.pos, 1000);
    assert_int_equal(seen.len, 5);
    state_commit(f->s, &f->e, &f->t);
    assert_int_equal(to_replay(f).count, 0);
}

static void a_call_that_moved_nothing_is_not_replayed(void **state)
{
    struct fix *f = *state;
    struct state_move *m = begin_in(f, 7, 0);

    assert_int_equal(recvmmsg(f->pair[1], &m->msg, 1, MSG_DONTWAIT, NULL), -1);
    assert_int_equal(m->msg.msg_len, MOVE_PENDING);
    assert_int_equal(to_replay(f).count, 0);
    assert_ptr_equal(begin_in(f, 8, 0), m); /* and its entry serves the next call */
}

static void an_end_of_file_is_a_move_of_no_bytes(void **state)
{
    struct fix *f = *state;
    struct state_move *m = begin_in(f, 7, 0);

    assert_int_equal(shutdown(f->pair[0], SHUT_WR), 0);
    assert_int_equal(recvmmsg(f->pair[1], &m->msg, 1, MSG_DONTWAIT, NULL), 1);
    assert_int_equal(to_replay(f).count, 1);
    assert_int_equal(to_replay(f).len, 0);
}

/* The worker dies after the kernel moved the bytes and before it could note that itself. */
static void the_length_survives_the_worker(void **state)
{
    struct fix *f = *state;
    struct seen seen;
    int status;
    pid_t pid;

    assert_int_equal(write(f->pair[0], "123456789", 9), 9);
    pid = fork();
    if (pid == 0) {
        struct state_move *m = begin_in(f, 42, 77);

        (void)recvmmsg(f->pair[1], &m->msg, 1, MSG_DONTWAIT, NULL);
        (void)raise(SIGKILL);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(recv(f->pair[1], f->bytes, 1, MSG_DONTWAIT),
                     -1); /* they are gone from there */
    seen = to_replay(f);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.sock_id, 42);
    assert_int_equal(seen.pos, 77);
    assert_int_equal(seen.len, 9);
}

/* Killed from outside at any moment: what the log says and what the socket holds are always a
 * whole. Each message carries one byte, so bytes and entries can be counted against each other. */
static void a_kill_at_any_moment_loses_no_byte(void **state)
{
    struct fix *f = *state;

    for (unsigned round = 0; round < 40; round++) {
        unsigned sent = 0, left = 0;
        char byte = 'x';
        int status;
        pid_t pid;

        while (sent < 150 && send(f->pair[0], &byte, 1, MSG_DONTWAIT) == 1)
            sent++;
        pid = fork();
        if (pid == 0) {
            for (uint64_t pos = 0; pos < sent; pos++) {
                struct state_move *m = begin_in(f, 1, pos);

                m->iov[0].iov_len = 1;
                (void)recvmmsg(f->pair[1], &m->msg, 1, 0, NULL);
            }
            for (;;)
                (void)pause();
        }
        (void)usleep(200 + round * 30);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        while (recv(f->pair[1], &byte, 1, MSG_DONTWAIT) == 1)
            left++;
        assert_int_equal(to_replay(f).count + left, sent);
        state_commit(f->s, &f->e, &f->t);
    }
}

static void die(void *ctx)
{
    (void)raise(SIGKILL);
}

/* Killed between the store and the clearing: the entries are still there, but not to be replayed.
 */
static void entries_that_a_commit_contains_are_not_replayed(void **state)
{
    struct fix *f = *state;
    const uint64_t before = state_generation(f->s);
    struct state_move *m = begin_in(f, 1, 0);

    m->msg.msg_len = 5;
    assert_int_equal(m->generation, before + 1);
    state_commit_store(f->s, before + 1);
    assert_int_equal(f->s->moves.section->high_water, 1);
    assert_int_equal(to_replay(f).count, 0);
}

static void a_full_log_asks_for_a_commit(void **state)
{
    struct fix *f = *state;

    for (unsigned i = 0; i < MOVE_LOG_ENTRIES; i++) {
        assert_false(state_move_full(f->s));
        begin_in(f, 1, i)->msg.msg_len = 1;
    }
    assert_true(state_move_full(f->s));
    assert_int_equal(to_replay(f).count, MOVE_LOG_ENTRIES);
    state_commit(f->s, &f->e, &f->t);
    assert_false(state_move_full(f->s));
}

static void a_new_worker_counts_the_moves_that_it_could_not_replay(void **state)
{
    struct fix *f = *state;
    struct state_inherited old;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        f->e.at = die;
        begin_in(f, 1, 0)->msg.msg_len = 3;
        begin_in(f, 1, 3)->msg.msg_len = 4;
        (void)begin_in(f, 1, 7); /* interrupted */
        state_commit(f->s, &f->e, &f->t);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(state_attach(f->s), 0);
    state_inherited(f->s, &old);
    assert_int_equal(old.moves, 2);
    assert_int_equal(to_replay(f).count, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_move_that_was_made_is_replayed_until_it_is_committed),
        TEST(a_call_that_moved_nothing_is_not_replayed),
        TEST(an_end_of_file_is_a_move_of_no_bytes),
        TEST(the_length_survives_the_worker),
        TEST(a_kill_at_any_moment_loses_no_byte),
        TEST(entries_that_a_commit_contains_are_not_replayed),
        TEST(a_full_log_asks_for_a_commit),
        TEST(a_new_worker_counts_the_moves_that_it_could_not_replay),
    };

    return cmocka_run_group_tests_name("state/move_log", tests, NULL, NULL);
}
