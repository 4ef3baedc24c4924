/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "cli/ctl.h"

int main(int argc, char *argv[])
{
    return ctl_main(argc, argv, stdin, stdout, stderr);
}
