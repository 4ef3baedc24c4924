/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A crash is a fork: the child works on the shared memory and is gone without a
 * word; the parent is the next worker.
 */
#include "cm.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fakes.h"
#include "sock/sock_record.h"
#include "state/records.h"
#include "state/state_internal.h"

static const struct state_limits limits = { 64, 256, 1 << 20 };

struct fix {
    struct state *s;
    struct tcp_engine e;
    struct sock_table t;
};

static int setup(void **state)
{
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

static void commit(struct fix *f)
{
    state_commit(f->s, &f->e, &f->t);
}

/* What a worker that starts now would find, by the rule of slots.h and without touching anything:
 * of the copies not above the generation the newest. */
static const void *restored(struct state *s, const struct slot_table *t, uint64_t id)
{
    const uint64_t generation = state_generation(s);
    const void *found = NULL;

    for (uint64_t slot = 0; slot < t->section->high_water; slot++) {
        const struct slot_copy *best = NULL;

        for (unsigned i = 0; i < 2; i++) {
            const struct slot_copy *c = (const void *)(t->mem + (2 * slot + i) * t->copy_bytes);

            if (c->generation <= generation && (!best || c->generation > best->generation))
                best = c;
        }
        if (best->kind == SLOT_LIVE && best->id == id) {
            assert_null(found); /* in one slot only */
            found = best->record;
        }
    }
    return found;
}

static int64_t restored_conn(struct state *s, uint64_t id)
{
    const struct conn_record *rec = restored(s, &s->conns, id);

    return rec ? (int64_t)rec->user : -1;
}

static int64_t restored_sock(struct state *s, uint64_t id)
{
    const struct sock_record *rec = restored(s, &s->socks, id);

    return rec ? rec->so_error : -1;
}

/* ---- the protocol ------------------------------------------------------------------ */

static void what_was_committed_is_found(void **state)
{
    struct fix *f = *state;
    const uint64_t before = state_generation(f->s);

    fake_conn_dirty(&f->e, 1, 11);
    fake_conn_dirty(&f->e, 2, 22);
    fake_sock_dirty(&f->t, 3, 33);
    commit(f);
    assert_int_equal(state_generation(f->s), before + 1);
    assert_int_equal(f->e.committed, 1);
    assert_int_equal(restored_conn(f->s, 1), 11);
    assert_int_equal(restored_conn(f->s, 2), 22);
    assert_int_equal(restored_sock(f->s, 3), 33);
    assert_int_equal(restored_conn(f->s, 3), -1);
}

static void the_newest_committed_record_wins(void **state)
{
    struct fix *f = *state;

    for (uint64_t value = 1; value <= 9; value++) {
        fake_conn_dirty(&f->e, 1, value);
        commit(f);
        assert_int_equal(restored_conn(f->s, 1), value);
    }
}

static void what_is_not_dirty_keeps_its_record(void **state)
{
    struct fix *f = *state;

    fake_conn_dirty(&f->e, 1, 11);
    commit(f);
    for (int i = 0; i < 5; i++) {
        fake_conn_dirty(&f->e, 2, 22);
        commit(f);
    }
    assert_int_equal(restored_conn(f->s, 1), 11);
}

struct crash {
    unsigned at, steps;
};

static void die_at_step(void *ctx)
{
    struct crash *c = ctx;

    if (c->steps++ == c->at)
        (void)raise(SIGKILL);
}

/* Steps 0 to 3: before the first record, between records, and after the last. */
static void a_crash_before_the_store_leaves_the_former_generation(void **state)
{
    struct fix *f = *state;

    fake_conn_dirty(&f->e, 1, 100);
    fake_conn_dirty(&f->e, 2, 200);
    commit(f);
    for (unsigned at = 0; at <= 3; at++) {
        const uint64_t before = state_generation(f->s);
        struct crash crash = { .at = at };
        int status;
        pid_t pid = fork();

        if (pid == 0) {
            f->e.at = die_at_step;
            f->e.ctx = &crash;
            fake_conn_dirty(&f->e, 1, 101 + at);
            fake_conn_dirty(&f->e, 2, 201 + at);
            fake_conn_dirty(&f->e, 3, 301 + at);
            commit(f);
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        assert_int_equal(state_generation(f->s), before);
        assert_int_equal(restored_conn(f->s, 1), 100);
        assert_int_equal(restored_conn(f->s, 2), 200);
        assert_int_equal(restored_conn(f->s, 3), -1);
    }
}

static void die(void *ctx)
{
    (void)raise(SIGKILL);
}

static void a_crash_after_the_store_has_the_new_generation(void **state)
{
    struct fix *f = *state;
    int status;
    pid_t pid;

    fake_conn_dirty(&f->e, 1, 100);
    commit(f);
    pid = fork();
    if (pid == 0) {
        f->e.at_committed = die;
        fake_conn_dirty(&f->e, 1, 101);
        fake_conn_dirty(&f->e, 2, 201);
        commit(f);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(restored_conn(f->s, 1), 101);
    assert_int_equal(restored_conn(f->s, 2), 201);
}

static void a_half_written_copy_is_never_the_one_that_counts(void **state)
{
    struct fix *f = *state;
    struct conn_record *rec;

    fake_conn_dirty(&f->e, 1, 5);
    commit(f);
    fake_conn_dirty(&f->e, 1, 6);
    commit(f);
    for (int i = 0; i < 3; i++) { /* again and again: three workers die at the same place */
        rec = slots_write(&f->s->conns, 1, state_generation(f->s) + 1);
        memset(rec, 0xee, sizeof(*rec) / 2);
        assert_int_equal(restored_conn(f->s, 1), 6);
    }
}

/* ---- tombstones -------------------------------------------------------------------- */

static void a_closed_socket_is_wiped_by_the_commit(void **state)
{
    struct fix *f = *state;

    fake_sock_dirty(&f->t, 1, 11);
    commit(f);
    fake_sock_closed(&f->t, 1);
    assert_int_equal(restored_sock(f->s, 1), 11);
    commit(f);
    assert_int_equal(restored_sock(f->s, 1), -1);
}

static void a_connection_that_is_gone_stays_until_the_commit(void **state)
{
    struct fix *f = *state;

    fake_conn_dirty(&f->e, 1, 11);
    commit(f);
    fake_conn_gone(&f->e, 1);
    fake_conn_dirty(&f->e, 1, 12); /* its last change */
    assert_int_equal(restored_conn(f->s, 1), 11);
    commit(f);
    assert_int_equal(restored_conn(f->s, 1), -1);
    assert_int_equal(f->s->conns.used, 0);
}

static void what_came_and_went_within_one_wake_up_leaves_nothing(void **state)
{
    struct fix *f = *state;

    for (uint64_t id = 1; id < 1000; id++) { /* many more than there are slots */
        fake_conn_dirty(&f->e, id, 1);
        fake_conn_gone(&f->e, id);
        commit(f);
        assert_int_equal(restored_conn(f->s, id), -1);
    }
    assert_int_equal(f->s->conns.used, 0);
    assert_int_equal(f->s->conns.refused, 0);
}

static void a_slot_is_not_given_on_before_its_tombstone_is_safe(void **state)
{
    struct fix *f = *state;

    for (uint64_t id = 1; id <= 64; id++) {
        fake_conn_dirty(&f->e, id, id);
        commit(f);
    }
    fake_conn_gone(&f->e, 7);
    fake_conn_dirty(&f->e, 100, 100); /* no room: slot 7 may still be needed */
    commit(f);
    assert_int_equal(f->s->conns.refused, 1);
    assert_int_equal(restored_conn(f->s, 100), -1);
    fake_conn_dirty(&f->e, 100, 100);
    commit(f);
    assert_int_equal(restored_conn(f->s, 100), 100);
    assert_int_equal(restored_conn(f->s, 7), -1);
    for (uint64_t id = 1; id <= 64; id++)
        if (id != 7)
            assert_int_equal(restored_conn(f->s, id), id);
}

static void slots_follow_ids_through_long_churn(void **state)
{
    struct fix *f = *state;
    uint64_t oldest = 1;

    for (uint64_t id = 1; id <= 5000; id++) {
        fake_conn_dirty(&f->e, id, id * 3);
        if (id - oldest >= 40)
            fake_conn_gone(&f->e, oldest++);
        commit(f);
    }
    assert_int_equal(f->s->conns.used, 5000 - oldest + 1);
    for (uint64_t id = oldest; id <= 5000; id++)
        assert_int_equal(restored_conn(f->s, id), id * 3);
    assert_int_equal(restored_conn(f->s, oldest - 1), -1);
}

/* ---- the next worker --------------------------------------------------------------- */

static void a_new_worker_starts_empty_with_the_same_secrets_and_newer_ids(void **state)
{
    struct fix *f = *state;
    struct state_inherited old;
    uint8_t seed[32];
    int status;
    pid_t pid;

    memcpy(seed, state_global(f->s)->seed, 32);
    pid = fork();
    if (pid == 0) { /* a worker */
        fake_conn_dirty(&f->e, 1, 11);
        fake_sock_dirty(&f->t, 1000, 22);
        commit(f);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(state_attach(f->s), 0);
    state_inherited(f->s, &old);
    assert_int_equal(old.conns, 1);
    assert_int_equal(old.socks, 1);
    assert_int_equal(restored_conn(f->s, 1), -1);
    assert_int_equal(restored_sock(f->s, 1000), -1);
    assert_memory_equal(state_global(f->s)->seed, seed, 32);
    assert_int_equal(state_global(f->s)->next_id, 1001);
    assert_int_equal(state_global(f->s)->workers, 1);
    assert_int_equal(f->s->conns.used, 0);
}

static void recovery_finds_the_committed_and_wipes_the_rest(void **state)
{
    struct fix *f = *state;
    struct crash crash = { .at = 3 };
    struct slot_table t;
    int status;
    pid_t pid;

    fake_conn_dirty(&f->e, 1, 11);
    fake_conn_dirty(&f->e, 2, 22);
    commit(f);
    fake_conn_gone(&f->e, 2);
    commit(f);
    pid = fork();
    if (pid == 0) {
        f->e.at = die_at_step;
        f->e.ctx = &crash;
        fake_conn_dirty(&f->e, 1, 12);
        fake_conn_dirty(&f->e, 3, 33);
        fake_conn_dirty(&f->e, 4, 44);
        commit(f);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(slots_init(&t, f->s->header, layout_section(f->s->header, SECTION_CONNS)), 0);
    slots_recover(&t, state_generation(f->s));
    assert_int_equal(t.used, 1);
    assert_int_equal(((const struct conn_record *)slots_find(&t, 1, state_generation(f->s)))->user,
                     11);
    /* Generations go on, and what was above the old one must not come to life with them. */
    assert_null(slots_find(&t, 3, UINT64_MAX));
    slots_deinit(&t);
    f->e = (struct tcp_engine){ 0 };
    for (int i = 0; i < 3; i++)
        commit(f);
    assert_int_equal(restored_conn(f->s, 1), 11);
    assert_int_equal(restored_conn(f->s, 3), -1);
    assert_int_equal(restored_conn(f->s, 4), -1);
}

static void a_global_record_above_the_generation_does_not_count(void **state)
{
    struct fix *f = *state;
    struct global_copy *copy;

    fake_conn_dirty(&f->e, 1000, 1);
    commit(f);
    copy = state_global_copy(f->s, state_generation(f->s) + 1);
    copy->generation = state_generation(f->s) + 1;
    memset(&copy->global, 0xee, sizeof(copy->global));
    assert_int_equal(state_attach(f->s), 0);
    assert_int_equal(state_global(f->s)->next_id, 1001);
}

static void a_layout_of_another_version_is_refused(void **state)
{
    struct fix *f = *state;
    struct state_field *fields;

    f->s->header->version++;
    assert_int_equal(state_attach(f->s), -71);
    f->s->header->version--;
    f->s->header->section[1].entries++;
    assert_int_equal(state_attach(f->s), -71);
    f->s->header->section[1].entries--;
    fields = (void *)((uint8_t *)f->s->header + f->s->header->section[1].fields_offset);
    fields[3].tag ^= 1;
    assert_int_equal(state_attach(f->s), -71);
    fields[3].tag ^= 1;
    assert_int_equal(state_attach(f->s), 0);
}

static void the_directory_finds_a_member_by_its_tag(void **state)
{
    struct fix *f = *state;
    const struct state_section *conns = &f->s->header->section[1];
    const struct state_field *fields =
        (const void *)((uint8_t *)f->s->header + conns->fields_offset);
    const uint32_t end = fields[conns->fields - 1].offset + fields[conns->fields - 1].bytes;
    bool una = false, user = false;

    for (uint32_t i = 0; i < conns->fields; i++) {
        una |= fields[i].tag == 21 && fields[i].offset == offsetof(struct conn_record, snd.una);
        user |= fields[i].tag == 3 && fields[i].offset == offsetof(struct conn_record, user);
        for (uint32_t j = 0; j < i; j++)
            assert_int_not_equal(fields[i].tag, fields[j].tag);
    }
    assert_true(una && user);
    assert_int_equal(end, sizeof(struct conn_record));
}

static void both_memfds_keep_their_size(void **state)
{
    struct fix *f = *state;

    assert_int_equal(ftruncate(f->s->memfd, 0), -1);
    assert_int_equal(ftruncate(f->s->memfd, 1LL << 40), -1);
    assert_int_equal(ftruncate(f->s->arena_fd, 0), -1);
    assert_int_equal(ftruncate(f->s->arena_fd, 1LL << 40), -1);
    assert_ptr_equal(f->s->header, STATE_ADDRESS);
    assert_ptr_equal(f->s->arena_base, ARENA_ADDRESS);
}

static void the_heartbeat_is_seen_by_the_other_process(void **state)
{
    struct fix *f = *state;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        state_heartbeat(f->s, 4711);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(state_last_heartbeat(f->s), 4711);
}

/* A ring that the engine lets go while it hears of commit n is named by commit n. */
static void free_in_committed(void *ctx)
{
    struct fix *f = ctx;
    struct ring_mem mem = state_ring_mem(f->s);

    mem.free(mem.ctx, f->s->arena_base, 1 << 20, 0);
    f->e.at_committed = NULL;
}

static void rings_freed_while_told_of_a_commit_wait_for_the_next(void **state)
{
    struct fix *f = *state;
    struct ring_mem mem = state_ring_mem(f->s);
    uint64_t offset;

    assert_non_null(mem.alloc(mem.ctx, 1 << 20, &offset));
    f->e.at_committed = free_in_committed;
    f->e.ctx = f;
    commit(f);
    assert_null(mem.alloc(mem.ctx, 4096, &offset));
    assert_int_equal(state_arena_used(f->s), 1 << 20);
    commit(f);
    assert_non_null(mem.alloc(mem.ctx, 4096, &offset));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_committed_is_found),
        TEST(the_newest_committed_record_wins),
        TEST(what_is_not_dirty_keeps_its_record),
        TEST(a_crash_before_the_store_leaves_the_former_generation),
        TEST(a_crash_after_the_store_has_the_new_generation),
        TEST(a_half_written_copy_is_never_the_one_that_counts),
        TEST(a_closed_socket_is_wiped_by_the_commit),
        TEST(a_connection_that_is_gone_stays_until_the_commit),
        TEST(what_came_and_went_within_one_wake_up_leaves_nothing),
        TEST(a_slot_is_not_given_on_before_its_tombstone_is_safe),
        TEST(slots_follow_ids_through_long_churn),
        TEST(a_new_worker_starts_empty_with_the_same_secrets_and_newer_ids),
        TEST(recovery_finds_the_committed_and_wipes_the_rest),
        TEST(a_global_record_above_the_generation_does_not_count),
        TEST(a_layout_of_another_version_is_refused),
        TEST(the_directory_finds_a_member_by_its_tag),
        TEST(both_memfds_keep_their_size),
        TEST(the_heartbeat_is_seen_by_the_other_process),
        TEST(rings_freed_while_told_of_a_commit_wait_for_the_next),
    };

    return cmocka_run_group_tests_name("state/commit", tests, NULL, NULL);
}
