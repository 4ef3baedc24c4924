/* SPDX-License-Identifier: BSD-2-Clause */
/* HyStart++, RFC 9406: slow start that ends when the round trips become longer. */
#ifndef TCPD_ENGINE_HYSTART_H
#define TCPD_ENGINE_HYSTART_H

#include <stdbool.h>
#include <stdint.h>

#include "base/seq.h"
#include "base/usec.h"

struct hystart {
    struct seq round_end; /* the round is over when this is acknowledged */
    bool in_round;
    bool css;             /* Conservative Slow Start */
    uint8_t css_rounds;   /* begun, the one of its beginning included */
    uint32_t samples;     /* of this round */
    usec_t now_min;       /* smallest of this round; 0 = none */
    usec_t last_min;      /* of the round before; 0 = none */
    usec_t baseline;      /* now_min when CSS was entered */
};

#endif
