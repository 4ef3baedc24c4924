/* SPDX-License-Identifier: BSD-2-Clause */
#include "cm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loop/log.h"

#define S USEC_PER_SEC

static int pipe_fds[2], saved;

/* stderr is a pipe for the length of a test. */
static int setup(void **state)
{
    saved = dup(STDERR_FILENO);
    assert_int_equal(pipe2(pipe_fds, O_NONBLOCK), 0);
    assert_int_equal(dup2(pipe_fds[1], STDERR_FILENO), STDERR_FILENO);
    log_set_level(LOG_INFO);
    return 0;
}

static int teardown(void **state)
{
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    (void)close(saved);
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
    return 0;
}

static const char *said(void)
{
    static char text[8192];
    const ssize_t n = read(pipe_fds[0], text, sizeof(text) - 1);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void a_message_is_one_line_with_the_name_of_the_program(void **state)
{
    log_open();
    log_error("cannot %s: %d", "do it", 5);
    assert_string_equal(said(), "tcpd: cannot do it: 5\n");
}

static void a_level_hides_what_is_below_it(void **state)
{
    log_debug("hidden");
    log_info("seen");
    log_set_level(LOG_ERR);
    log_warning("hidden");
    log_error("seen");
    assert_string_equal(said(), "tcpd: seen\ntcpd: seen\n");
}

static void the_journal_gets_the_level_instead_of_the_name(void **state)
{
    char stream[64];
    struct stat st;

    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    (void)snprintf(stream, sizeof(stream), "%lu:%lu", (unsigned long)st.st_dev,
                   (unsigned long)st.st_ino);
    assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
    log_open();
    log_warning("w");
    assert_string_equal(said(), "<4>w\n");
    assert_int_equal(setenv("JOURNAL_STREAM", "1:1", 1), 0); /* inherited; stderr is elsewhere */
    log_open();
    log_warning("w");
    assert_string_equal(said(), "tcpd: w\n");
    (void)unsetenv("JOURNAL_STREAM");
}

static void a_message_that_is_too_long_is_cut_and_still_a_line(void **state)
{
    char *text = malloc(5000);
    const char *out;

    memset(text, 'x', 4999);
    text[4999] = '\0';
    log_error("%s", text);
    out = said();
    assert_true(strlen(out) <= 1024);
    assert_int_equal(out[strlen(out) - 1], '\n');
    free(text);
}

static void a_flood_is_cut_to_its_burst_and_counted(void **state)
{
    struct log_limit limit = { .burst = 2 };

    for (int i = 0; i < 100; i++)
        log_limited(&limit, 1000 * S + (usec_t)i, LOG_WARNING, "noise %d", i);
    assert_string_equal(said(), "tcpd: noise 0\ntcpd: noise 1\n");
    log_limited(&limit, 1060 * S, LOG_WARNING, "noise");
    assert_string_equal(said(),
                        "tcpd: 98 more messages like the last one were left out\ntcpd: noise\n");
}

static void levels_have_names(void **state)
{
    assert_int_equal(log_level_parse("error"), LOG_ERR);
    assert_int_equal(log_level_parse("debug"), LOG_DEBUG);
    assert_int_equal(log_level_parse("loud"), -22);
    assert_int_equal(log_level_parse(""), -22);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_one_line_with_the_name_of_the_program),
        TEST(a_level_hides_what_is_below_it),
        TEST(the_journal_gets_the_level_instead_of_the_name),
        TEST(a_message_that_is_too_long_is_cut_and_still_a_line),
        TEST(a_flood_is_cut_to_its_burst_and_counted),
        TEST(levels_have_names),
    };

    return cmocka_run_group_tests_name("loop/log", tests, NULL, NULL);
}
