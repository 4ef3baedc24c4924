/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The simulator: many worlds, each made by a seed. A seed that fails is printed
 * with the one command that plays it again.
 */
#include "world.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile uint64_t running_seed;
static const char *program;

static void say_replay(uint64_t seed)
{
    printf("replay: %s --seed %llu --verbose\n", program, (unsigned long long)seed);
    (void)fflush(stdout);
}

static void on_crash(int sig)
{
    char text[160];
    int n = snprintf(text, sizeof(text), "seed %llu: signal %d\nreplay: %s --seed %llu --verbose\n",
                     (unsigned long long)running_seed, sig, program,
                     (unsigned long long)running_seed);

    if (write(STDOUT_FILENO, text, (size_t)n) < 0)
        _exit(2);
    (void)signal(sig, SIG_DFL);
    (void)raise(sig);
}

/* How a connection went: everything arrived, or somebody aborted. */
static void check_outcome(struct world *w)
{
    for (unsigned i = 0; i < w->pairs; i++) {
        const struct side *s = w->pair[i].side;

        if (s[0].ending == ABORT_EARLY || s[1].ending == ABORT_EARLY)
            continue;
        for (int who = 0; who < 2; who++)
            if (s[who].written != s[who].to_write || s[!who].read != s[who].to_write)
                world_fail(w, "connection %u: %llu bytes to send by the %s, %llu arrived", i,
                           (unsigned long long)s[who].to_write,
                           who == CLIENT ? "client" : "server",
                           (unsigned long long)s[!who].read);
    }
}

static bool run_seed(uint64_t seed, bool verbose, uint64_t *packets, uint64_t *steps)
{
    struct world w = { .verbose = verbose };
    bool ok;

    running_seed = seed;
    world_random(&w, seed);
    ok = world_run(&w);
    if (ok) {
        check_outcome(&w);
        ok = !w.failure[0];
    }
    *packets += w.packets;
    *steps += w.steps;
    if (verbose || !ok)
        printf("seed %llu: %s (%u connections, IPv%d, %.3f s, %llu packets)\n",
               (unsigned long long)seed, ok ? "ok" : w.failure, w.pairs, w.v6 ? 6 : 4,
               (double)(w.now - w.started) / 1e6, (unsigned long long)w.packets);
    if (!ok)
        say_replay(seed);
    world_end(&w);
    return ok;
}

static int run_seeds(uint64_t first, uint64_t count, bool verbose)
{
    uint64_t packets = 0, steps = 0, failed = 0;

    for (uint64_t seed = first; seed < first + count; seed++)
        failed += !run_seed(seed, verbose, &packets, &steps);
    printf("%llu seeds, %llu failed, %llu packets, %llu wake-ups\n", (unsigned long long)count,
           (unsigned long long)failed, (unsigned long long)packets, (unsigned long long)steps);
    return failed ? 1 : 0;
}

static int usage(void)
{
    (void)fprintf(stderr, "usage: sim [--seeds N] [--first N] [--seed N] [--verbose] "
                          "[--table] [--compare FILE]\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "seeds", required_argument, NULL, 'n' },   { "first", required_argument, NULL, 'f' },
        { "seed", required_argument, NULL, 's' },    { "verbose", no_argument, NULL, 'v' },
        { "table", no_argument, NULL, 't' },         { "compare", required_argument, NULL, 'c' },
        { 0 },
    };
    uint64_t first = 1, count = 100;
    bool verbose = false, table = false;
    const char *compare = NULL;
    int c;

    program = argv[0];
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'n')
            count = strtoull(optarg, NULL, 10);
        else if (c == 'f')
            first = strtoull(optarg, NULL, 10);
        else if (c == 's')
            first = strtoull(optarg, NULL, 10), count = 1;
        else if (c == 'v')
            verbose = true;
        else if (c == 't')
            table = true;
        else if (c == 'c')
            table = true, compare = optarg;
        else
            return usage();
    }
    if (optind != argc)
        return usage();
    (void)signal(SIGSEGV, on_crash);
    (void)signal(SIGABRT, on_crash);
    (void)signal(SIGBUS, on_crash);
    (void)signal(SIGFPE, on_crash);
    return table ? table_run(compare, verbose) : run_seeds(first, count, verbose);
}
