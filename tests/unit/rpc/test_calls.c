/* SPDX-License-Identifier: BSD-2-Clause */
/* What each call asks of sock and stream, and what the client is told. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake.h"
#include "proto/errors.h"

static uint32_t status_of(Tcpd__V1__Reply *reply)
{
    uint32_t status = reply->status;

    reply_free(reply);
    return status;
}

static Tcpd__V1__Addr addr4(uint8_t last, uint16_t port)
{
    static uint8_t bytes[4];
    Tcpd__V1__Addr a = TCPD__V1__ADDR__INIT;

    memcpy(bytes, (uint8_t[]){ 10, 0, 0, last }, 4);
    a.family = AF_INET;
    a.addr = (ProtobufCBinaryData){ 4, bytes };
    a.port = port;
    return a;
}

static uint32_t bind_to(struct world *w, int c, int fd, Tcpd__V1__Addr *a)
{
    REQ(req, bind, BIND, BindRequest, BIND_REQUEST);

    bind_.addr = a;
    return status_of(ask(w, c, &req, fd, NULL));
}

static void hello_says_who_answers(void **state)
{
    struct world *w = *state;
    int c = client(w);
    REQ(req, hello, HELLO, HelloRequest, HELLO_REQUEST);
    Tcpd__V1__Reply *reply = ask(w, c, &req, -1, NULL);

    assert_int_equal(reply->result_case, TCPD__V1__REPLY__RESULT_HELLO);
    assert_int_equal(reply->hello->version, 1);
    assert_int_equal(reply->hello->supervisor_pid, 77);
    reply_free(reply);
    close(c);
}

static void a_socket_is_a_fresh_descriptor_and_no_state(void **state)
{
    struct world *w = *state;
    int c = client(w), fd = fresh(w, c, AF_INET6);
    REQ(req, socket, SOCKET, SocketRequest, SOCKET_REQUEST);

    assert_int_equal(w->socks.n, 0);
    socket_.family = AF_UNIX;
    assert_int_equal(status_of(ask(w, c, &req, -1, NULL)), ERROR_FAMILY);
    close(fd);
    close(c);
}

static void bind_attaches_and_passes_the_address(void **state)
{
    struct world *w = *state;
    int c = client(w), fd = fresh(w, c, AF_INET);
    Tcpd__V1__Addr a = addr4(1, 8080);

    assert_int_equal(bind_to(w, c, fd, &a), ERROR_OK);
    assert_non_null(sock_behind(w, fd));
    assert_int_equal(sock_behind(w, fd)->local.port, 8080);
    assert_memory_equal(sock_behind(w, fd)->local.addr.b + 12, "\x0a\0\0\1", 4);
    assert_int_equal(sock_behind(w, fd)->owner.uid, getuid());
    assert_int_equal(sock_behind(w, fd)->owner.pid, getpid());
    assert_true(sock_behind(w, fd)->last_cred.bind_service == (getuid() == 0));
    sock_behind(w, fd)->result = -EADDRINUSE;
    assert_int_equal(bind_to(w, c, fd, &a), ERROR_ADDRESS_IN_USE);
    assert_int_equal(w->socks.n, 1);
    close(fd);
    close(c);
}

static void an_address_that_does_not_fit_is_refused_before_anything_is_made(void **state)
{
    struct world *w = *state;
    int c = client(w), fd = fresh(w, c, AF_INET6), fd4 = fresh(w, c, AF_INET);
    Tcpd__V1__Addr a = addr4(1, 80);

    assert_int_equal(bind_to(w, c, fd, &a), ERROR_FAMILY);
    a.family = AF_INET6; /* 4 bytes */
    assert_int_equal(bind_to(w, c, fd, &a), ERROR_INVALID);
    a.family = AF_INET;
    a.port = 65536;
    assert_int_equal(bind_to(w, c, fd4, &a), ERROR_INVALID);
    assert_int_equal(bind_to(w, c, fd4, NULL), ERROR_INVALID);
    assert_int_equal(w->socks.n, 0);
    close(fd);
    close(fd4);
    close(c);
}

static void connect_is_answered_at_once_with_in_progress(void **state)
{
    struct world *w = *state;
    int c = client(w), fd = fresh(w, c, AF_INET);
    Tcpd__V1__Addr a = addr4(2, 80);
    REQ(req, connect, CONNECT, ConnectRequest, CONNECT_REQUEST);

    connect_.addr = &a;
    assert_int_equal(status_of(ask(w, c, &req, fd, NULL)), ERROR_IN_PROGRESS);
    assert_int_equal(w->stream.connecting, 1);
    sock_behind(w, fd)->result = -ENETUNREACH;
    assert_int_equal(status_of(ask(w, c, &req, fd, NULL)), ERROR_NET_UNREACHABLE);
    assert_int_equal(w->stream.connecting, 1);
    a.family = AF_UNSPEC;
    assert_int_equal(status_of(ask(w, c, &req, fd, NULL)), ERROR_OK);
    sock_behind(w, fd)->state = SOCK_CONNECTED;
    assert_int_equal(status_of(ask(w, c, &req, fd, NULL)), ERROR_NOT_SUPPORTED);
    close(fd);
    close(c);
}

static void names_of_a_fresh_socket_need_no_state(void **state)
{
    struct world *w = *state;
    int c = client(w), fd = fresh(w, c, AF_INET6);
    REQ(req, name, NAME, NameRequest, NAME_REQUEST);
    Tcpd__V1__Reply *reply = ask(w, c, &req, fd, NULL);

    assert_int_equal(reply->status, ERROR_OK);
    assert_int_equal(reply->addr->addr->family, AF_INET6);
    assert_int_equal(reply->addr->addr->addr.len, 16);
    assert_int_equal(reply->addr->addr->port, 0);
    reply_free(reply);
    name_.peer = true;
    assert_int_equal(status_of(ask(w, c, &req, fd, NULL)), ERROR_NOT_CONNECTED);
    assert_int_equal(w->socks.n, 0);
    close(fd);
    close(c);
}

static void options_go_through_with_their_bytes(void **state)
{
    struct world *w = *state;
    int c = client(w), fd = fresh(w, c, AF_INET);
    REQ(set, set_opt, SET_OPT, SetOptRequest, SET_OPT_REQUEST);
    REQ(get, get_opt, GET_OPT, GetOptRequest, GET_OPT_REQUEST);
    Tcpd__V1__Reply *reply;
    uint8_t value[5] = "abcd";

    set_opt_.level = IPPROTO_TCP;
    set_opt_.name = 13;
    set_opt_.value = (ProtobufCBinaryData){ 4, value };
    assert_int_equal(status_of(ask(w, c, &set, fd, NULL)), ERROR_OK);
    assert_int_equal(sock_behind(w, fd)->last_level, IPPROTO_TCP);
    assert_int_equal(sock_behind(w, fd)->last_name, 13);
    assert_int_equal(sock_behind(w, fd)->last_len, 4);
    assert_memory_equal(sock_behind(w, fd)->last_value, "abcd", 4);
    get_opt_.level = SOL_SOCKET;
    get_opt_.name = SO_RCVBUF;
    get_opt_.length = 1000000; /* what a client asks for is not what it gets */
    reply = ask(w, c, &get, fd, NULL);
    assert_int_equal(reply->value->value.len, 4);
    assert_int_equal(*(int *)reply->value->value.data, 42);
    reply_free(reply);
    sock_behind(w, fd)->result = -ENOPROTOOPT;
    assert_int_equal(status_of(ask(w, c, &get, fd, NULL)), ERROR_NO_OPTION);
    close(fd);
    close(c);
}

static int so_error(struct world *w, int c, int fd)
{
    REQ(req, get_opt, GET_OPT, GetOptRequest, GET_OPT_REQUEST);
    Tcpd__V1__Reply *reply;
    int value;

    get_opt_.level = SOL_SOCKET;
    get_opt_.name = SO_ERROR;
    get_opt_.length = 4;
    reply = ask(w, c, &req, fd, NULL);
    assert_int_equal(reply->status, ERROR_OK);
    value = *(int *)reply->value->value.data;
    reply_free(reply);
    return value;
}

static void why_a_descriptor_died_is_told_once(void **state)
{
    struct world *w = *state;
    int c = client(w), fd = fresh(w, c, AF_INET);
    REQ(req, error, ERROR, ErrorRequest, ERROR_REQUEST);
    Tcpd__V1__Reply *reply;

    w->stream.fd[0].dead = true;
    w->stream.fd[0].s = fake_sock(w, SOCK_DEAD);
    w->stream.fd[0].error = ETIMEDOUT;
    reply = ask(w, c, &req, fd, NULL);
    assert_int_equal(reply->error->error, ERROR_TIMED_OUT);
    reply_free(reply);
    assert_int_equal(so_error(w, c, fd), 0);
    w->stream.fd[0].error = ECONNREFUSED;
    assert_int_equal(so_error(w, c, fd), ECONNREFUSED);
    close(fd);
    close(c);
}

static void calls_on_a_dead_descriptor_say_so(void **state)
{
    struct world *w = *state;
    int c = client(w), fd = fresh(w, c, AF_INET);
    REQ(req, name, NAME, NameRequest, NAME_REQUEST);
    REQ(listening, listen, LISTEN, ListenRequest, LISTEN_REQUEST);

    w->stream.fd[0].dead = true;
    w->stream.fd[0].s = fake_sock(w, SOCK_DEAD);
    name_.peer = true;
    assert_int_equal(status_of(ask(w, c, &req, fd, NULL)), ERROR_NOT_CONNECTED);
    assert_int_equal(status_of(ask(w, c, &listening, fd, NULL)), ERROR_INVALID);
    close(fd);
    close(c);
}

static void shutdown_of_the_writing_side_is_left_to_the_descriptor(void **state)
{
    struct world *w = *state;
    int c = client(w), fd = fresh(w, c, AF_INET);
    REQ(req, shutdown, SHUTDOWN, ShutdownRequest, SHUTDOWN_REQUEST);
    struct sock *s;

    shutdown_.how = SHUT_WR;
    assert_int_equal(status_of(ask(w, c, &req, fd, NULL)), ERROR_NOT_CONNECTED);
    w->stream.fd[0].s = s = fake_sock(w, SOCK_CONNECTED);
    w->stream.shut_how = -1;
    assert_int_equal(status_of(ask(w, c, &req, fd, NULL)), ERROR_OK);
    assert_int_equal(w->stream.shut_how, SHUT_WR);
    assert_int_equal(s->shut_how, -1); /* bytes may lie before it */
    shutdown_.how = SHUT_RDWR;
    assert_int_equal(status_of(ask(w, c, &req, fd, NULL)), ERROR_OK);
    assert_int_equal(s->shut_how, SHUT_RD);
    shutdown_.how = 3;
    assert_int_equal(status_of(ask(w, c, &req, fd, NULL)), ERROR_INVALID);
    close(fd);
    close(c);
}

static void queue_counts_bytes_that_tcpd_has_not_taken_yet(void **state)
{
    struct world *w = *state;
    int c = client(w), fd = fresh(w, c, AF_INET);
    REQ(req, queue, QUEUE, QueueRequest, QUEUE_REQUEST);
    struct sock *s = fake_sock(w, SOCK_CONNECTED);
    Tcpd__V1__Reply *reply;

    w->stream.fd[0].s = s;
    s->conn = fake_conn(w);
    s->conn->unacked = 30;
    s->untaken = 100;
    reply = ask(w, c, &req, fd, NULL);
    assert_int_equal(reply->queue->unsent_bytes, 105);
    assert_int_equal(reply->queue->unacked_bytes, 130);
    reply_free(reply);
    close(fd);
    close(c);
}

static void a_lingering_close_waits_for_the_bytes_or_the_time(void **state)
{
    struct world *w = *state;
    int c = client(w), fd = fresh(w, c, AF_INET);
    REQ(req, close, CLOSE, CloseRequest, CLOSE_REQUEST);
    struct sock *s = fake_sock(w, SOCK_CONNECTED);

    w->stream.fd[0].s = s;
    s->conn = fake_conn(w);
    assert_int_equal(status_of(ask(w, c, &req, fd, NULL)), ERROR_OK); /* no linger */
    s->linger_sec = 5;
    s->untaken = 1;
    client_request(c, &req, fd);
    turn(w);
    assert_null(client_recv(c, NULL));
    assert_int_equal(rpc_deadline(w->rpc), w->now + 5 * USEC_PER_SEC);
    s->untaken = 0;
    s->conn->unacked = 1;
    turn(w);
    assert_null(client_recv(c, NULL));
    s->conn->unacked = 0;
    turn(w);
    assert_int_equal(status_of(client_recv(c, NULL)), ERROR_OK);
    assert_true(rpc_deadline(w->rpc) == USEC_NEVER);
    s->conn->unacked = 1;
    client_request(c, &req, fd);
    turn(w);
    rpc_advance(w->rpc, w->now + 5 * USEC_PER_SEC - 1);
    turn(w);
    assert_null(client_recv(c, NULL));
    rpc_advance(w->rpc, w->now + 5 * USEC_PER_SEC);
    turn(w);
    assert_int_equal(status_of(client_recv(c, NULL)), ERROR_OK);
    client_request(c, &req, fd); /* and one whose client goes away */
    turn(w);
    close(c);
    turn(w);
    turn(w);
    assert_true(rpc_deadline(w->rpc) == USEC_NEVER);
    close(fd);
}

static void a_call_about_a_socket_needs_its_descriptor(void **state)
{
    struct world *w = *state;
    int c = client(w), pipe_fd[2], pair[2];
    unsigned before;

    assert_int_equal(pipe(pipe_fd), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    turn(w);
    before = open_fds();
    for (int which = TCPD__V1__REQUEST__CALL_BIND; which <= TCPD__V1__REQUEST__CALL_QUEUE;
         which++) {
        Tcpd__V1__Request req = TCPD__V1__REQUEST__INIT;
        Tcpd__V1__Addr a = addr4(1, 1);
        /* all of these begin with the base and are all zeros otherwise, but for an address */
        Tcpd__V1__BindRequest bind_ = TCPD__V1__BIND_REQUEST__INIT;
        Tcpd__V1__ListenRequest listen_ = TCPD__V1__LISTEN_REQUEST__INIT;
        Tcpd__V1__ConnectRequest connect_ = TCPD__V1__CONNECT_REQUEST__INIT;
        Tcpd__V1__ShutdownRequest shutdown_ = TCPD__V1__SHUTDOWN_REQUEST__INIT;
        Tcpd__V1__NameRequest name_ = TCPD__V1__NAME_REQUEST__INIT;
        Tcpd__V1__SetOptRequest set_ = TCPD__V1__SET_OPT_REQUEST__INIT;
        Tcpd__V1__GetOptRequest get_ = TCPD__V1__GET_OPT_REQUEST__INIT;
        Tcpd__V1__ErrorRequest error_ = TCPD__V1__ERROR_REQUEST__INIT;
        Tcpd__V1__CloseRequest close_ = TCPD__V1__CLOSE_REQUEST__INIT;
        Tcpd__V1__QueueRequest queue_ = TCPD__V1__QUEUE_REQUEST__INIT;
        void *parts[] = { &bind_, &listen_, &connect_, &shutdown_, &name_,
                          &set_,  &get_,    &error_,   &close_,    &queue_ };

        bind_.addr = connect_.addr = &a;
        req.call_case = (Tcpd__V1__Request__CallCase)which;
        req.bind = parts[which - TCPD__V1__REQUEST__CALL_BIND]; /* a union */
        assert_int_equal(status_of(ask(w, c, &req, -1, NULL)), ERROR_BAD_FD);
        if (which == TCPD__V1__REQUEST__CALL_CLOSE)
            continue; /* nothing to wait for, whatever it is */
        assert_int_equal(status_of(ask(w, c, &req, pipe_fd[0], NULL)), ERROR_NOT_SOCKET);
        assert_int_equal(status_of(ask(w, c, &req, pair[0], NULL)), ERROR_NOT_SOCKET);
        assert_int_equal(status_of(ask(w, c, &req, c, NULL)), ERROR_NOT_SOCKET);
    }
    for (int i = 0; i < 100 && open_fds() != before; i++)
        usleep(10000); /* a child closes them */
    assert_int_equal(open_fds(), before);
    assert_int_equal(w->socks.n, 0);
    close(pipe_fd[0]);
    close(pipe_fd[1]);
    close(pair[0]);
    close(pair[1]);
    close(c);
}

static void shortage_of_memory_is_no_buffers(void **state)
{
    struct world *w = *state;
    int c = client(w), fd = fresh(w, c, AF_INET);
    REQ(req, listen, LISTEN, ListenRequest, LISTEN_REQUEST);

    w->socks.new_result = -ENOMEM;
    assert_int_equal(status_of(ask(w, c, &req, fd, NULL)), ERROR_NO_BUFFERS);
    w->socks.new_result = 0;
    w->stream.attach_result = -EMFILE;
    assert_int_equal(status_of(ask(w, c, &req, fd, NULL)), ERROR_PROCESS_FILES);
    assert_true(w->socks.all[0]->closed); /* and nothing is left of it */
    close(fd);
    close(c);
}

/* Who asks is what the kernel says of the sender, not of who opened the session. */
static void the_sender_of_each_message_is_its_owner(void **state)
{
    struct world *w = *state;
    int c = client(w), fd = fresh(w, c, AF_INET);
    Tcpd__V1__Addr a = addr4(1, 80);
    REQ(req, bind, BIND, BindRequest, BIND_REQUEST);
    pid_t pid;

    if (getuid() != 0) {
        assert_int_equal(bind_to(w, c, fd, &a), ERROR_OK);
        assert_false(sock_behind(w, fd)->last_cred.bind_service);
        close(fd);
        close(c);
        return;
    }
    bind_.addr = &a;
    pid = fork();
    if (pid == 0)
        _exit(setgid(65534) < 0 || setuid(65534) < 0 || client_request(c, &req, fd) < 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    turn(w);
    assert_int_equal(status_of(client_recv(c, NULL)), ERROR_OK);
    assert_int_equal(sock_behind(w, fd)->owner.uid, 65534);
    assert_int_equal(sock_behind(w, fd)->owner.pid, pid);
    assert_false(sock_behind(w, fd)->owner.admin);
    assert_false(sock_behind(w, fd)->last_cred.bind_service);
    close(fd);
    close(c);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(hello_says_who_answers),
        TEST(a_socket_is_a_fresh_descriptor_and_no_state),
        TEST(bind_attaches_and_passes_the_address),
        TEST(an_address_that_does_not_fit_is_refused_before_anything_is_made),
        TEST(connect_is_answered_at_once_with_in_progress),
        TEST(names_of_a_fresh_socket_need_no_state),
        TEST(options_go_through_with_their_bytes),
        TEST(why_a_descriptor_died_is_told_once),
        TEST(calls_on_a_dead_descriptor_say_so),
        TEST(shutdown_of_the_writing_side_is_left_to_the_descriptor),
        TEST(queue_counts_bytes_that_tcpd_has_not_taken_yet),
        TEST(a_lingering_close_waits_for_the_bytes_or_the_time),
        TEST(a_call_about_a_socket_needs_its_descriptor),
        TEST(shortage_of_memory_is_no_buffers),
        TEST(the_sender_of_each_message_is_its_owner),
    };

    return cmocka_run_group_tests_name("rpc: calls about sockets", tests, NULL, NULL);
}
