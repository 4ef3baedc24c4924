/* SPDX-License-Identifier: BSD-2-Clause */
/* tcpd: reads arguments, then supervises a worker. Decides nothing. */
#include "loop/log.h"
#include "loop/worker.h"
#include "supervisor/options.h"
#include "supervisor/supervisor.h"

int main(int argc, char **argv)
{
    static struct options options;

    log_open();
    switch (options_parse(argc, argv, &options)) {
    case OPTIONS_DONE:
        return 0;
    case OPTIONS_USAGE:
        return 2;
    case OPTIONS_FAIL:
        return 1;
    case OPTIONS_RUN:
        break;
    }
    log_set_level(options.log_level);
    return supervisor_run(&options, worker_run);
}
