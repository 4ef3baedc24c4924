/* SPDX-License-Identifier: BSD-2-Clause */
#include "cm.h"

#include "base/list.h"
#include "base/usec.h"

struct item {
    int n;
    struct list node;
};

static void items_come_out_in_the_order_they_went_in(void **state)
{
    struct list head;
    struct item items[5];

    list_init(&head);
    assert_true(list_empty(&head));
    assert_null(list_pop(&head));
    for (int i = 0; i < 5; i++) {
        items[i].n = i;
        list_init(&items[i].node);
        list_append(&head, &items[i].node);
    }
    for (int i = 0; i < 5; i++)
        assert_int_equal(LIST_ENTRY(list_pop(&head), struct item, node)->n, i);
    assert_true(list_empty(&head));
}

static void deleting_twice_or_while_walking_is_fine(void **state)
{
    struct list head;
    struct item items[6];
    int seen = 0;

    list_init(&head);
    for (int i = 0; i < 6; i++) {
        items[i].n = i;
        list_init(&items[i].node);
        list_append(&head, &items[i].node);
    }
    LIST_FOREACH_SAFE(n, &head)
    {
        if (LIST_ENTRY(n, struct item, node)->n % 2) {
            list_del(n);
            list_del(n);
        }
    }
    LIST_FOREACH(n, &head)
    {
        assert_int_equal(LIST_ENTRY(n, struct item, node)->n, 2 * seen);
        seen++;
    }
    assert_int_equal(seen, 3);
}

static void appending_once_keeps_the_place(void **state)
{
    struct list head;
    struct item a = { 0 }, b = { 0 };

    list_init(&head);
    list_init(&a.node);
    list_init(&b.node);
    list_append_once(&head, &a.node);
    list_append_once(&head, &b.node);
    list_append_once(&head, &a.node);
    assert_ptr_equal(list_pop(&head), &a.node);
    assert_ptr_equal(list_pop(&head), &b.node);
    assert_null(list_pop(&head));
}

static void time_never_runs_backwards(void **state)
{
    assert_true(usec_since(100, 50) == 0);
    assert_true(usec_since(50, 100) == 50);
    assert_true(usec_min(1, USEC_NEVER) == 1);
    assert_true(usec_max(1, USEC_NEVER) == USEC_NEVER);
    assert_true(usec_from_msec(1500) == 1500000 && usec_to_msec(1999) == 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_the_order_they_went_in),
        cmocka_unit_test(deleting_twice_or_while_walking_is_fine),
        cmocka_unit_test(appending_once_keeps_the_place),
        cmocka_unit_test(time_never_runs_backwards),
    };

    return cmocka_run_group_tests_name("base/list", tests, NULL, NULL);
}
