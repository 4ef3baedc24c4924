/* SPDX-License-Identifier: BSD-2-Clause */
/* A circular doubly linked list; the head is a node too. A node not on a list points to itself. */
#ifndef TCPD_BASE_LIST_H
#define TCPD_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_del(struct list *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_init(n);
}

/** list_append() - put @n, which is on no list, at the tail of @head */
static inline void list_append(struct list *head, struct list *n)
{
    n->prev = head->prev;
    n->next = head;
    head->prev->next = n;
    head->prev = n;
}

/** list_append_once() - as list_append(), unless @n is on a list already */
static inline void list_append_once(struct list *head, struct list *n)
{
    if (list_empty(n))
        list_append(head, n);
}

static inline struct list *list_pop(struct list *head)
{
    struct list *n = head->next;

    if (n == head)
        return NULL;
    list_del(n);
    return n;
}

#define LIST_ENTRY(n, type, member) CONTAINER_OF(n, type, member)

#define LIST_FOREACH(n, head) for (struct list *n = (head)->next; n != (head); n = n->next)

#define LIST_FOREACH_SAFE(n, head)                                                                 \
    for (struct list *n = (head)->next, *n##_next = n->next; n != (head);                          \
         n = n##_next, n##_next = n->next)

#endif
