/* SPDX-License-Identifier: BSD-2-Clause */
/* Unmodified programs (prog_*.c) with the preload library, against the fake daemon. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake.h"

static char dir[] = "/tmp/tcpd-preload-XXXXXX";
static char sock_path[64], err_path[64];

struct env {
    pid_t daemon;
};

static int setup(void **state)
{
    static struct env env;

    env.daemon = fake_start(sock_path);
    *state = &env;
    return 0;
}

static int teardown(void **state)
{
    fake_stop(((struct env *)*state)->daemon);
    return 0;
}

/* Runs prog; its exit status, and what it said on stderr in @ret (4096 bytes). */
static int run(const char *name, const char *arg, char *ret)
{
    pid_t pid = fork();
    int status, fd;
    ssize_t n;

    if (pid == 0) {
        fd = open(err_path, O_CREAT | O_TRUNC | O_RDWR, 0600);
        dup2(fd, 2);
        close_range(3, ~0u, 0);
        setenv("LD_PRELOAD", PRELOAD_PATH, 1);
        setenv("TCPD_SOCKET", sock_path, 1);
        execl(PROG_PATH, "prog", name, arg, NULL);
        _exit(99);
    }
    waitpid(pid, &status, 0);
    fd = open(err_path, O_RDONLY);
    n = read(fd, ret, 4095);
    ret[n > 0 ? n : 0] = '\0';
    close(fd);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void run_well(const char *name, const char *arg)
{
    char said[4096];
    int status = run(name, arg, said);

    if (status)
        print_error("%s: exit status %d\n%s", name, status, said);
    assert_int_equal(status, 0);
}

/* One test per program that needs neither argument nor anything else. */
#define PROGRAMS(X)                                                                                \
    X(blocking_connect_and_echo) X(nonblocking_connect) X(listen_and_accept)                       \
    X(v6_listener_sees_mapped_peers) X(options_are_tcpds_or_the_descriptors)                       \
    X(interface_ioctls_work_on_a_tcp_socket) X(every_data_call_carries_bytes)                      \
    X(half_close_and_orderly_end) X(other_sockets_pass_untouched)                                  \
    X(bad_addresses_have_the_kernels_errors) X(threads_share_one_session)                          \
    X(linger_makes_close_wait) X(unconnected_reads_and_writes) X(refused_is_said_by_connect)       \
    X(refused_is_said_once_by_so_error) X(broken_connection_read) X(broken_connection_write)       \
    X(own_shutdown_makes_writes_fail) X(sigpipe_of_other_descriptors_stays)                        \
    X(interrupted_connect) X(send_timeout_ends_connect) X(forked_child_has_its_own_session)        \
    X(daemon_style_program) X(closing_all_descriptors) X(wanting_the_sessions_number)              \
    X(vfork_child_leaves_the_parent_alone) X(vfork_child_may_even_ask) X(exec_keeps_the_library)   \
    X(lowest_number_is_given) X(no_free_number_is_emfile) X(forking_among_threads)                 \
    X(signals_in_the_middle_of_calls)

#define PROGRAM_TEST(name)                                                                         \
    static void name(void **state)                                                                 \
    {                                                                                              \
        run_well(#name, NULL);                                                                     \
    }
PROGRAMS(PROGRAM_TEST)

static void exec_of_a_static_program_is_refused(void **state)
{
    char said[4096];

    assert_int_equal(run("exec_of_a_static_program_is_refused", STATIC_PATH, said), 0);
    assert_non_null(strstr(said, "is statically linked"));
}

static void unreachable_daemon_is_said_once(void **state)
{
    char said[4096];
    char *line;

    fake_stop(((struct env *)*state)->daemon);
    assert_int_equal(run("unreachable_daemon_is_said_once", NULL, said), 0);
    line = strstr(said, "tcpd: cannot reach tcpd at ");
    assert_non_null(line);
    assert_non_null(strstr(line, sock_path));
    assert_null(strstr(line + 1, "tcpd: cannot"));
    ((struct env *)*state)->daemon = fake_start(sock_path);
}

/* A program of its own that uses protobuf-c must not meet ours. */
static void library_keeps_its_symbols_to_itself(void **state)
{
    FILE *p = popen("nm -D --defined-only " PRELOAD_PATH " " CLIENT_PATH, "r");
    char line[512];
    int calls = 0;

    assert_non_null(p);
    while (fgets(line, sizeof(line), p)) {
        assert_null(strstr(line, "protobuf"));
        assert_null(strstr(line, "tcpd__"));
        assert_null(strstr(line, "session_"));
        calls += strstr(line, " T ") != NULL;
    }
    pclose(p);
    assert_true(calls > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define PROGRAM_ROW(name) cmocka_unit_test_setup_teardown(name, setup, teardown),
        PROGRAMS(PROGRAM_ROW)
        cmocka_unit_test_setup_teardown(exec_of_a_static_program_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(unreachable_daemon_is_said_once, setup, teardown),
        cmocka_unit_test(library_keeps_its_symbols_to_itself),
    };
    int failed;

    if (!mkdtemp(dir))
        return 1;
    snprintf(sock_path, sizeof(sock_path), "%s/sock", dir);
    snprintf(err_path, sizeof(err_path), "%s/err", dir);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(sock_path);
    unlink(err_path);
    rmdir(dir);
    return failed;
}
