/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real supervisor in a process of its own, with workers that do nothing but
 * what a test asks for. What they want to tell lies in memory that all share.
 */
#include "cm.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop/log.h"
#include "loop/loop.h"
#include "state/state.h"
#include "supervisor/supervisor.h"

/* No test here needs the network, nor the right to open it. */
int netio_open_privileged(struct netio_fds *ret)
{
    memset(ret, 0xff, sizeof(*ret)); /* each -1 */
    return 0;
}

struct board {
    volatile pid_t worker;
    volatile unsigned started;
    volatile int left_fd;      /* opened by the first worker */
    volatile bool fd_survived; /* said by the second */
    volatile bool private_dir_ok;
};

static struct board *board;
static char dir[] = "/tmp/tcpd-supervisor-XXXXXX";
static struct options opts;

/* ---- workers ----------------------------------------------------------------------- */

static void until_told_to_stop(const struct worker_init *init)
{
    const uint64_t one = 1;
    sigset_t set;
    int sig = 0;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    board->worker = getpid();
    board->started++;
    (void)!write(init->ready_fd, &one, sizeof(one));
    (void)sigwait(&set, &sig);
}

static int worker_good(const struct worker_init *init)
{
    struct stat st;

    if (state_attach(init->state))
        return 1;
    state_fd_sweep(init->state);
    if (board->started == 0) {
        board->left_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        state_fd_add(init->state, board->left_fd, STATE_FD_CLIENT, 1);
    } else {
        board->fd_survived = fcntl(board->left_fd, F_GETFD) >= 0;
    }
    board->private_dir_ok = stat(init->private_dir, &st) == 0 && (st.st_mode & 0777) == 0700;
    until_told_to_stop(init);
    return 0;
}

static int worker_unable(const struct worker_init *init)
{
    board->started++;
    return 1;
}

static int worker_dying(const struct worker_init *init)
{
    board->started++;
    (void)raise(SIGKILL);
    return 0;
}

/* ---- running one ------------------------------------------------------------------- */

static pid_t start(supervisor_worker *worker)
{
    const pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        log_set_level(LOG_EMERG);
        _exit(supervisor_run(&opts, worker));
    }
    return pid;
}

static bool within_seconds(unsigned seconds, bool (*f)(void))
{
    for (unsigned i = 0; i < seconds * 200; i++) {
        if (f())
            return true;
        (void)usleep(5000);
    }
    return false;
}

static int exit_status(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool one_started(void)
{
    return board->started == 1;
}

static bool two_started(void)
{
    return board->started == 2;
}

static int client_connect(void)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    int r;

    (void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", opts.socket);
    r = connect(fd, (const struct sockaddr *)&sa, sizeof(sa));
    (void)close(fd);
    return r;
}

static int setup(void **state)
{
    opts = (struct options){ .log_level = LOG_ERR, .strong_iss = -1 };
    (void)snprintf(opts.socket, sizeof(opts.socket), "%s/run/tcpd.sock", dir);
    (void)snprintf(opts.state_dir, sizeof(opts.state_dir), "%s/state", dir);
    memset(board, 0, sizeof(*board));
    return 0;
}

/* ---- the tests --------------------------------------------------------------------- */

static void sigterm_ends_worker_and_supervisor_and_the_socket_is_gone(void **state)
{
    struct stat st;
    pid_t pid = start(worker_good);

    assert_true(within_seconds(10, one_started));
    assert_int_equal(stat(opts.socket, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0666);
    assert_int_equal(client_connect(), 0);
    assert_true(board->private_dir_ok);
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(exit_status(pid), 0);
    assert_int_equal(kill(board->worker, 0), -1);
    assert_int_equal(stat(opts.socket, &st), -1);
    (void)snprintf(opts.state_dir, sizeof(opts.state_dir), "%s/run", dir);
    assert_int_equal(rmdir(opts.state_dir), 0); /* nothing was left beside it */
}

static void a_killed_worker_is_replaced_and_its_fds_are_there(void **state)
{
    pid_t pid = start(worker_good), first;

    assert_true(within_seconds(10, one_started));
    first = board->worker;
    assert_int_equal(kill(first, SIGKILL), 0);
    assert_true(within_seconds(10, two_started));
    assert_int_not_equal(board->worker, first);
    assert_true(board->fd_survived);
    assert_int_equal(client_connect(), 0);
    assert_int_equal(kill(pid, SIGINT), 0);
    assert_int_equal(exit_status(pid), 0);
}

static void a_worker_dies_with_its_supervisor(void **state)
{
    pid_t pid = start(worker_good);
    int tries = 0;

    assert_true(within_seconds(10, one_started));
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(exit_status(pid), -1);
    while (kill(board->worker, 0) == 0 && tries++ < 1000)
        (void)usleep(5000);
    assert_int_equal(kill(board->worker, 0), -1);
}

static void the_socket_file_of_a_dead_one_is_taken_over(void **state)
{
    pid_t pid;

    assert_int_equal(access(opts.socket, F_OK), 0); /* left by the test before */
    assert_int_equal(client_connect(), -1);
    pid = start(worker_good);
    assert_true(within_seconds(10, one_started));
    assert_int_equal(client_connect(), 0);
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(exit_status(pid), 0);
}

static void a_second_one_does_not_take_the_socket_of_the_first(void **state)
{
    pid_t pid = start(worker_good), second;

    assert_true(within_seconds(10, one_started));
    second = start(worker_good);
    assert_int_equal(exit_status(second), 1);
    assert_int_equal(board->started, 1);
    assert_int_equal(client_connect(), 0);
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(exit_status(pid), 0);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
    int fd = open(opts.socket, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(exit_status(start(worker_good)), 1);
    assert_int_equal(unlink(opts.socket), 0);
}

static void a_first_worker_that_cannot_start_is_not_tried_again(void **state)
{
    assert_int_equal(exit_status(start(worker_unable)), 1);
    assert_int_equal(board->started, 1);
    assert_int_equal(access(opts.socket, F_OK), -1);
}

static void workers_that_keep_dying_end_the_supervisor(void **state)
{
    assert_int_equal(exit_status(start(worker_dying)), 1);
    assert_int_equal(board->started, 5);
}

static int make_dir(void **state)
{
    board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return board != MAP_FAILED && mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    char command[128];

    (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sigterm_ends_worker_and_supervisor_and_the_socket_is_gone),
        TEST(a_killed_worker_is_replaced_and_its_fds_are_there),
        TEST(a_worker_dies_with_its_supervisor),
        TEST(the_socket_file_of_a_dead_one_is_taken_over),
        TEST(a_second_one_does_not_take_the_socket_of_the_first),
        TEST(a_file_that_is_no_socket_is_left_alone),
        TEST(a_first_worker_that_cannot_start_is_not_tried_again),
        TEST(workers_that_keep_dying_end_the_supervisor),
    };

    return cmocka_run_group_tests_name("supervisor/supervisor", tests, make_dir, remove_dir);
}
