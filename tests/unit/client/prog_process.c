/* SPDX-License-Identifier: BSD-2-Clause */
/* What programs do to processes and descriptor numbers. */
#include <fcntl.h>
#include <linux/close_range.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake.h"
#include "prog.h"

static unsigned sessions_seen(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    unsigned n = 0;
    socklen_t len = sizeof(n);

    CHECK(fd >= 0 && getsockopt(fd, FAKE_LEVEL, FAKE_SESSIONS, &n, &len) == 0);
    CHECK(close(fd) == 0);
    return n;
}

static void works(int fd)
{
    char c = 0;

    CHECK(write(fd, "k", 1) == 1 && read(fd, &c, 1) == 1 && c == 'k');
}

static void new_socket_works(void)
{
    int fd = prog_connect(FAKE_ECHO);

    works(fd);
    CHECK(close(fd) == 0);
}

static void exited_well(pid_t pid)
{
    int status;

    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void forked_child_has_its_own_session(char **args)
{
    int fd = prog_connect(FAKE_ECHO);
    unsigned before = sessions_seen();
    pid_t pid = fork();

    if (pid == 0) {
        int port;

        works(fd); /* the parent's socket is as good as one of our own */
        CHECK(prog_listen(&port) >= 0);
        CHECK(sessions_seen() == before + 1);
        CHECK(sessions_seen() == before + 1);
        _exit(0);
    }
    exited_well(pid);
    works(fd);
    CHECK(sessions_seen() == before + 1);
}

/* as daemons do: leave, close everything, begin anew */
static void daemon_style_program(char **args)
{
    int p[2], fd;
    char c;
    pid_t pid;

    new_socket_works();
    CHECK(pipe(p) == 0);
    pid = fork();
    if (pid == 0) {
        setsid();
        if (fork() > 0)
            _exit(0);
        CHECK(chdir("/") == 0);
        for (fd = 0; fd < 4096; fd++)
            if (fd != p[1])
                close(fd);
        /* nothing is open: the first socket is 0 */
        fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd != 0 || open("/dev/null", O_RDWR) != 1 || open("/dev/null", O_RDWR) != 2)
            _exit(1);
        close(0);
        new_socket_works();
        CHECK(write(p[1], "k", 1) == 1);
        _exit(0);
    }
    exited_well(pid);
    close(p[1]);
    CHECK(read(p[0], &c, 1) == 1);
}

static void closing_all_descriptors(char **args)
{
    int fd = prog_connect(FAKE_ECHO), session = prog_session_fd();
    unsigned before = sessions_seen();
    int i;

    CHECK(session > 100);
    for (i = 3; i < 4096; i++)
        if (i != fd)
            close(i);
    CHECK_FAILS(close(session), EBADF);
    CHECK_FAILS(dup(session), EBADF);
    CHECK_FAILS(fcntl(session, F_GETFD), EBADF);
    CHECK(close_range((unsigned)fd + 1, ~0u, 0) == 0);
    closefrom(fd + 1);
    works(fd);
    new_socket_works();
    CHECK(sessions_seen() == before);
    /* behind the library's back it goes, and is made again */
    CHECK(syscall(SYS_close_range, fd + 1, ~0u, 0) == 0);
    new_socket_works();
    CHECK(sessions_seen() == before + 1);
}

static void wanting_the_sessions_number(char **args)
{
    int p[2], session, raw;
    unsigned before = sessions_seen();
    char c = 0;

    session = prog_session_fd();
    CHECK(pipe(p) == 0);
    CHECK(dup2(p[1], session) == session);
    CHECK(write(session, "x", 1) == 1 && read(p[0], &c, 1) == 1 && c == 'x');
    CHECK(sessions_seen() == before); /* it made way */
    CHECK(close(session) == 0);       /* which is the program's own now */
    session = prog_session_fd();
    CHECK(dup3(p[1], session, O_CLOEXEC) == session);
    CHECK(sessions_seen() == before);

    /* behind the library's back: neither written to nor closed */
    raw = prog_session_fd();
    CHECK(syscall(SYS_dup3, p[1], raw, 0) == raw);
    CHECK(sessions_seen() == before + 1);
    fcntl(p[0], F_SETFL, O_NONBLOCK);
    CHECK_FAILS(read(p[0], &c, 1), EAGAIN);
    CHECK(write(raw, "y", 1) == 1 && read(p[0], &c, 1) == 1 && c == 'y');
}

/* The child runs in our memory: what it does to its descriptors must not change ours. */
static void vfork_child_leaves_the_parent_alone(char **args)
{
    int fd = prog_connect(FAKE_ECHO);
    unsigned before = sessions_seen();
    char *argv[] = { (char *)(uintptr_t)prog_self(), (char[]){ "finds_the_library" }, NULL };
    char *none[] = { NULL };
    int i, session = prog_session_fd();
    pid_t pid = vfork();

    if (pid == 0) {
        dup2(2, session);
        for (i = 3; i < 2048; i++)
            close(i);
        execve(argv[0], argv, none);
        _exit(1);
    }
    exited_well(pid);
    works(fd);
    new_socket_works();
    CHECK(prog_session_fd() == session);
    CHECK(sessions_seen() == before + 1); /* the child's */
}

static void vfork_child_may_even_ask(char **args)
{
    unsigned before = sessions_seen();
    int session = prog_session_fd();
    pid_t pid = vfork();

    if (pid == 0)
        _exit(socket(AF_INET, SOCK_STREAM, 0) < 0);
    exited_well(pid);
    CHECK(prog_session_fd() == session);
    CHECK(sessions_seen() == before + 1);
}

/* started by others, with an environment that they made */
static void finds_the_library(char **args)
{
    const char *list = getenv("LD_PRELOAD");

    CHECK(list && strstr(list, "libtcpd-preload.so"));
    new_socket_works();
    if (args[0]) {
        CHECK(strstr(list, ":/nonexistent"));
        CHECK(strcmp(getenv("KEPT"), "yes") == 0);
        works(atoi(args[0])); /* an inherited connection */
    }
}

static void exec_keeps_the_library(char **args)
{
    static char self_name[] = "finds_the_library";
    char number[16];
    char *argv[] = { (char *)(uintptr_t)prog_self(), self_name, NULL };
    char *env[] = { (char[]){ "KEPT=yes" }, (char[]){ "LD_PRELOAD=/nonexistent" }, NULL };
    char *none[] = { NULL };
    char command[5000];
    pid_t pid;

    snprintf(number, sizeof(number), "%d", prog_connect(FAKE_ECHO));
    snprintf(command, sizeof(command), "exec '%s' %s", prog_self(), self_name);
    if ((pid = fork()) == 0)
        execle(prog_self(), "prog", self_name, number, NULL, env);
    exited_well(pid);
    if ((pid = fork()) == 0)
        execve(argv[0], argv, none);
    exited_well(pid);
    if ((pid = fork()) == 0)
        fexecve(open(argv[0], O_RDONLY | O_CLOEXEC), argv, none);
    exited_well(pid);
    if ((pid = fork()) == 0)
        execvpe(argv[0], argv, none);
    exited_well(pid);
    CHECK(posix_spawn(&pid, argv[0], NULL, NULL, argv, none) == 0);
    exited_well(pid);
    clearenv();
    if ((pid = fork()) == 0)
        execl(prog_self(), "prog", self_name, NULL);
    exited_well(pid);
    if ((pid = fork()) == 0)
        execv(argv[0], argv);
    exited_well(pid);
    if ((pid = fork()) == 0)
        execlp(prog_self(), "prog", self_name, NULL);
    exited_well(pid);
    CHECK(system(command) == 0);
    unsetenv("LD_PRELOAD");
    CHECK(pclose(popen(command, "r")) == 0);
}

static void exec_of_a_static_program_is_refused(char **args)
{
    char *argv[] = { args[0], NULL };
    pid_t pid;

    CHECK_FAILS(execv(args[0], argv), EACCES);
    CHECK(posix_spawn(&pid, args[0], NULL, NULL, argv, argv + 1) == EACCES);
}

static void lowest_number_is_given(char **args)
{
    int first = socket(AF_INET, SOCK_STREAM, 0), second;

    CHECK(first == 3);
    second = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(second == 4);
    close(0);
    CHECK(socket(AF_INET6, SOCK_STREAM, 0) == 0);
}

static void no_free_number_is_emfile(char **args)
{
    struct rlimit lim = { 40, 40 };
    int port, listener, conn, last = -1;
    int clients[3];
    pid_t pid;

    CHECK(setrlimit(RLIMIT_NOFILE, &lim) == 0);
    listener = prog_listen(&port);
    clients[0] = prog_connect(port);
    clients[1] = prog_connect(port);
    while ((conn = dup(0)) >= 0)
        last = conn;
    CHECK(errno == EMFILE && last >= 0);
    CHECK_FAILS(socket(AF_INET, SOCK_STREAM, 0), EMFILE);
    pid = fork(); /* which has no session yet, and no number for one */
    if (pid == 0) {
        close_range((unsigned)prog_session_fd() + 1, ~0u, 0);
        while (dup(0) >= 0)
            ;
        _exit(socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EMFILE);
    }
    exited_well(pid);
    CHECK(close(last) == 0);
    conn = accept(listener, NULL, NULL);
    CHECK(conn >= 0);
    CHECK_FAILS(accept(listener, NULL, NULL), EMFILE);
    /* the one that waited is not lost */
    CHECK(close(conn) == 0);
    conn = accept(listener, NULL, NULL);
    CHECK(conn >= 0 && write(clients[1], "k", 1) == 1 && read(conn, clients + 2, 1) == 1);
}

static volatile int stop;

static void *asks_on(void *arg)
{
    while (!stop)
        new_socket_works();
    return NULL;
}

static void forking_among_threads(char **args)
{
    pthread_t t[3];
    int i;

    for (i = 0; i < 3; i++)
        CHECK(pthread_create(&t[i], NULL, asks_on, NULL) == 0);
    for (i = 0; i < 20; i++) {
        pid_t pid = fork();

        if (pid == 0) {
            alarm(5);
            new_socket_works();
            _exit(0);
        }
        exited_well(pid);
    }
    stop = 1;
    for (i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
}

static volatile int handled;

static void asks_in_a_handler(int sig)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(fd >= 0 && close(fd) == 0);
    handled++;
}

static void signals_in_the_middle_of_calls(char **args)
{
    timer_t timer;
    struct itimerspec often = { { 0, 2000000 }, { 0, 2000000 } };
    struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
    struct sigaction act = { .sa_handler = asks_in_a_handler, .sa_flags = SA_RESTART };
    int i, count, v;

    sigaction(SIGUSR1, &act, NULL);
    CHECK(timer_create(CLOCK_MONOTONIC, &ev, &timer) == 0);
    CHECK(timer_settime(timer, 0, &often, NULL) == 0);
    for (i = 0; i < 300; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        CHECK(fd >= 0);
        count = i % 100 + 1;
        CHECK(setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count)) == 0);
        CHECK(getsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &v, &(socklen_t){ sizeof(v) }) == 0);
        CHECK(v == count && close(fd) == 0);
    }
    timer_delete(timer);
    CHECK(handled > 5);
}

static void unreachable_daemon_is_said_once(char **args)
{
    CHECK_FAILS(socket(AF_INET, SOCK_STREAM, 0), ENETDOWN);
    CHECK_FAILS(socket(AF_INET6, SOCK_STREAM, 0), ENETDOWN);
    CHECK(socket(AF_INET, SOCK_DGRAM, 0) >= 0);
}

const struct prog progs_process[] = {
    { "forked_child_has_its_own_session", forked_child_has_its_own_session },
    { "daemon_style_program", daemon_style_program },
    { "closing_all_descriptors", closing_all_descriptors },
    { "wanting_the_sessions_number", wanting_the_sessions_number },
    { "vfork_child_leaves_the_parent_alone", vfork_child_leaves_the_parent_alone },
    { "vfork_child_may_even_ask", vfork_child_may_even_ask },
    { "finds_the_library", finds_the_library },
    { "exec_keeps_the_library", exec_keeps_the_library },
    { "exec_of_a_static_program_is_refused", exec_of_a_static_program_is_refused },
    { "lowest_number_is_given", lowest_number_is_given },
    { "no_free_number_is_emfile", no_free_number_is_emfile },
    { "forking_among_threads", forking_among_threads },
    { "signals_in_the_middle_of_calls", signals_in_the_middle_of_calls },
    { "unreachable_daemon_is_said_once", unreachable_daemon_is_said_once },
    { NULL, NULL },
};
