/* SPDX-License-Identifier: BSD-2-Clause */
/* tcprun's command line, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake.h"

static char dir[] = "/tmp/tcpd-run-XXXXXX";
static char said[4096];

/* Runs a shell command line with $RUN, $PROG, $STATIC, $DIR; what it says is in said[]. */
static int shell(const char *command)
{
    FILE *p;
    char line[1024];
    size_t n;
    int status;

    snprintf(line, sizeof(line), "exec 2>&1; %s", command);
    p = popen(line, "r");
    assert_non_null(p);
    n = fread(said, 1, sizeof(said) - 1, p);
    said[n] = '\0';
    status = pclose(p);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void one_line(const char *command, int status, const char *words)
{
    assert_int_equal(shell(command), status);
    assert_non_null(strstr(said, words));
    assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
}

static void program_runs_with_its_own_status(void **state)
{
    assert_int_equal(shell("$RUN sh -c 'exit 7'"), 7);
    assert_int_equal(shell("$RUN -- true"), 0);
    assert_int_equal(shell("$RUN --mode=preload sh -c 'kill -9 $$'"), 137);
    assert_int_equal(shell("$RUN printf %s -x --socket"), 0);
    assert_string_equal(said, "-x--socket"); /* its options are its own */
}

static void program_talks_through_the_daemon(void **state)
{
    char path[64];
    pid_t daemon;

    snprintf(path, sizeof(path), "%s/s", dir);
    daemon = fake_start(path);
    assert_int_equal(shell("$RUN --socket $DIR/s $PROG blocking_connect_and_echo"), 0);
    assert_int_equal(shell("cd $DIR && $RUN --socket s env -C / $PROG finds_the_library"), 0);
    assert_int_equal(shell("cd $DIR && TCPD_SOCKET=s $RUN env -i $PROG finds_the_library"), 0);
    fake_stop(daemon);
    one_line("$RUN --socket $DIR/s $PROG unreachable_daemon_is_said_once", 0, "cannot reach tcpd");
    unlink(path);
}

static void wrong_use_is_one_line_and_2(void **state)
{
    one_line("$RUN", 2, "which program");
    one_line("$RUN --nonsense true", 2, "--nonsense");
    one_line("$RUN -x true", 2, "unknown option");
    one_line("$RUN --mode=fast true", 2, "fast: no such mode");
    one_line("$RUN --mode=seccomp true", 2, "not available");
    one_line("$RUN --socket", 2, "--socket");
    one_line("$RUN --socket '' true", 2, "needs a path");
    one_line("$RUN --socket /$(printf %0200d 1) true", 1, "too long");
}

static void help_and_version(void **state)
{
    assert_int_equal(shell("$RUN --help"), 0);
    assert_non_null(strstr(said, "--mode"));
    one_line("$RUN --version", 0, "tcprun ");
}

static void what_cannot_be_run(void **state)
{
    one_line("$RUN no-such-program", 127, "not found");
    one_line("$RUN $DIR/none", 127, "not found");
    one_line("$RUN /etc/passwd", 126, "ermission");
    one_line("$RUN /tmp", 126, "ermission");
    one_line("$RUN $STATIC", 126, "is statically linked");
    one_line("printf '#!%s\\n' $STATIC >$DIR/script; chmod +x $DIR/script; $RUN $DIR/script;"
             " s=$?; rm $DIR/script; exit $s", 126, "is statically linked");
}

static void set_uid_is_refused_to_whom_it_gives_something(void **state)
{
    if (geteuid() != 0) { /* making one needs root: at least a file of the system's */
        struct stat st;

        assert_int_equal(stat("/bin/su", &st), 0);
        one_line("$RUN /bin/su --version", 126, "set-uid");
        return;
    }
    assert_int_equal(shell("cp /bin/true $DIR/suid && chmod 4755 $DIR/suid && chmod 755 $DIR"), 0);
    assert_int_equal(shell("$RUN $DIR/suid"), 0);
    /* a copy of tcprun, because others may not be able to read the build tree */
    assert_int_equal(shell("mkdir $DIR/bin $DIR/client-lib && cp $RUN $DIR/bin/ &&"
                           " cp $PRELOAD $DIR/client-lib/"), 0);
    one_line("setpriv --reuid 65534 --regid 65534 --clear-groups $DIR/bin/tcprun $DIR/suid", 126,
             "is set-uid");
    shell("rm -r $DIR/suid $DIR/bin $DIR/client-lib");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(program_runs_with_its_own_status),
        cmocka_unit_test(program_talks_through_the_daemon),
        cmocka_unit_test(wrong_use_is_one_line_and_2),
        cmocka_unit_test(help_and_version),
        cmocka_unit_test(what_cannot_be_run),
        cmocka_unit_test(set_uid_is_refused_to_whom_it_gives_something),
    };
    int failed;

    if (!mkdtemp(dir))
        return 1;
    setenv("DIR", dir, 1);
    setenv("RUN", TCPRUN_PATH, 1);
    setenv("PROG", PROG_PATH, 1);
    setenv("STATIC", STATIC_PATH, 1);
    setenv("PRELOAD", PRELOAD_PATH, 1);
    unsetenv("TCPD_SOCKET");
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(dir);
    return failed;
}
