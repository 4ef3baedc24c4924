/* SPDX-License-Identifier: BSD-2-Clause */
/* Linked statically: no dynamic linker, no preload library. */
int main(void)
{
    return 0;
}
