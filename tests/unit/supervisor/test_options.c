/* SPDX-License-Identifier: BSD-2-Clause */
/* Each row runs the parser in a process of its own and looks at its verdict and its stderr. */
#include "cm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop/log.h"
#include "supervisor/options.h"

static char dir[] = "/tmp/tcpd-options-XXXXXX";

struct outcome {
    enum options_verdict verdict;
    struct options o;
    char err[2048];
};

static void run(struct outcome *out, char *const *argv)
{
    int argc = 0, pipe_out[2], pipe_err[2], status;
    size_t len = 0;
    ssize_t n;
    pid_t pid;

    while (argv[argc])
        argc++;
    assert_int_equal(pipe(pipe_out), 0);
    assert_int_equal(pipe(pipe_err), 0);
    pid = fork();
    if (pid == 0) {
        struct options o;
        enum options_verdict v;

        (void)dup2(pipe_err[1], 2);
        (void)freopen("/dev/null", "w", stdout);
        v = options_parse(argc, (char **)argv, &o);
        (void)!write(pipe_out[1], &o, sizeof(o));
        _exit((int)v);
    }
    (void)close(pipe_out[1]);
    (void)close(pipe_err[1]);
    memset(out, 0, sizeof(*out));
    for (size_t at = 0; (n = read(pipe_out[0], (char *)&out->o + at, sizeof(out->o) - at)) > 0;)
        at += (size_t)n;
    while ((n = read(pipe_err[0], out->err + len, sizeof(out->err) - 1 - len)) > 0)
        len += (size_t)n;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    out->verdict = (enum options_verdict)WEXITSTATUS(status);
    (void)close(pipe_out[0]);
    (void)close(pipe_err[0]);
}

#define RUN(...)                                                                                   \
    ({                                                                                             \
        static struct outcome out_;                                                                \
        char *const argv_[] = { (char *)"tcpd", ##__VA_ARGS__, NULL };                             \
        run(&out_, argv_);                                                                         \
        &out_;                                                                                     \
    })

#define A(text) ((char *)text)

static char *file_with(const char *name, const char *text)
{
    static char path[256];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs(text, f);
    assert_int_equal(fclose(f), 0);
    return path;
}

static unsigned lines(const char *text)
{
    unsigned n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void without_arguments_everything_has_its_default(void **state)
{
    const struct outcome *out = RUN();

    assert_int_equal(out->verdict, OPTIONS_RUN);
    assert_string_equal(out->o.socket, "/run/tcpd/tcpd.sock");
    assert_string_equal(out->o.config, "/etc/tcpd/tcpd.conf");
    assert_string_equal(out->o.state_dir, "/var/lib/tcpd");
    assert_string_equal(out->o.inetinit, "/etc/default/inetinit");
    assert_int_equal(out->o.log_level, LOG_INFO);
}

static void a_wrong_command_line_gets_one_line_that_names_the_fault(void **state)
{
    char longer_than_sun_path[200];
    const struct {
        char *argv[4];
        const char *names;
    } rows[] = {
        { { A("tcpd"), A("--nonsense") }, "--nonsense" },
        { { A("tcpd"), A("-x") }, "-x" },
        { { A("tcpd"), A("extra") }, "extra" },
        { { A("tcpd"), A("--socket") }, "--socket" },
        { { A("tcpd"), A("--socket"), A("") }, "empty" },
        { { A("tcpd"), A("--socket"), longer_than_sun_path }, "too long" },
        { { A("tcpd"), A("--log-level"), A("loud") }, "loud" },
        { { A("tcpd"), A("--help=me") }, "--help=me" },
    };

    memset(longer_than_sun_path, 'a', sizeof(longer_than_sun_path) - 1);
    longer_than_sun_path[sizeof(longer_than_sun_path) - 1] = '\0';
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct outcome out;

        run(&out, rows[i].argv);
        assert_int_equal(out.verdict, OPTIONS_USAGE);
        assert_int_equal(lines(out.err), 1);
        assert_non_null(strstr(out.err, rows[i].names));
        assert_int_equal(strncmp(out.err, "tcpd: ", 6), 0);
    }
}

static void help_and_version_are_answered(void **state)
{
    assert_int_equal(RUN(A("--help"))->verdict, OPTIONS_DONE);
    assert_int_equal(RUN(A("--version"))->verdict, OPTIONS_DONE);
}

static void the_command_line_beats_the_configuration_file(void **state)
{
    char *path =
        file_with("conf", "# a comment\n\n  socket = \"/run/a.sock\"  \nlog-level=debug\n");
    const struct outcome *out = RUN(A("--config"), path);

    assert_int_equal(out->verdict, OPTIONS_RUN);
    assert_string_equal(out->o.socket, "/run/a.sock");
    assert_int_equal(out->o.log_level, LOG_DEBUG);
    out = RUN(A("--config"), path, A("--socket"), A("/run/b.sock"));
    assert_string_equal(out->o.socket, "/run/b.sock");
}

static void a_wrong_configuration_file_stops_the_start_with_its_line(void **state)
{
    static const char *const texts[] = {
        "\nsocket\n", "\nno-such-setting=1\n", "\nlog-level=loud\n",
        "\n=x\n",     "\nsocket=\n",           "\nconfig=/other\n",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const struct outcome *out = RUN(A("--config"), file_with("bad", texts[i]));

        assert_int_equal(out->verdict, OPTIONS_FAIL);
        assert_int_equal(lines(out->err), 1);
        assert_non_null(strstr(out->err, "line 2"));
    }
}

static void a_named_file_that_cannot_be_read_stops_the_start(void **state)
{
    assert_int_equal(RUN(A("--config"), A("/nonexistent/conf"))->verdict, OPTIONS_FAIL);
    assert_int_equal(RUN(A("--inetinit"), A("/nonexistent/conf"))->verdict, OPTIONS_FAIL);
    assert_int_equal(RUN(A("--config"), dir)->verdict, OPTIONS_FAIL);
    assert_int_equal(lines(RUN(A("--config"), A("/nonexistent/conf"))->err), 1);
    assert_int_equal(lines(RUN(A("--config"), dir)->err), 1);
}

static void inetinit_sets_the_isn_method_and_may_hold_other_things(void **state)
{
    const struct outcome *out =
        RUN(A("--inetinit"), file_with("inetinit", "#\nTCP_STRONG_ISS=1\nACCEPT6TO4RELAY=NO\n"));

    assert_int_equal(out->verdict, OPTIONS_RUN);
    assert_int_equal(out->o.strong_iss, 1);
    out = RUN(A("--inetinit"), file_with("inetinit", "OTHER=1\n"));
    assert_int_equal(out->o.strong_iss, -1);
    out = RUN(A("--inetinit"), file_with("inetinit", "TCP_STRONG_ISS=3\n"));
    assert_int_equal(out->verdict, OPTIONS_FAIL);
}

static int make_dir(void **state)
{
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    static const char *const names[] = { "conf", "bad", "inetinit" };
    char path[256];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_arguments_everything_has_its_default),
        cmocka_unit_test(a_wrong_command_line_gets_one_line_that_names_the_fault),
        cmocka_unit_test(help_and_version_are_answered),
        cmocka_unit_test(the_command_line_beats_the_configuration_file),
        cmocka_unit_test(a_wrong_configuration_file_stops_the_start_with_its_line),
        cmocka_unit_test(a_named_file_that_cannot_be_read_stops_the_start),
        cmocka_unit_test(inetinit_sets_the_isn_method_and_may_hold_other_things),
    };

    return cmocka_run_group_tests_name("supervisor/options", tests, make_dir, remove_dir);
}
