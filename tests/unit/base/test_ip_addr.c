/* SPDX-License-Identifier: BSD-2-Clause */
#include "cm.h"

#include <arpa/inet.h>

#include "base/ip_addr.h"

static struct ip_addr addr(const char *text)
{
    uint8_t b[16];

    if (inet_pton(AF_INET, text, b) == 1)
        return ip_addr_v4(b);
    assert_int_equal(inet_pton(AF_INET6, text, b), 1);
    return ip_addr_v6(b);
}

/* RFC 4291 2.5.5.2 */
static void an_ipv4_address_is_its_mapped_form(void **state)
{
    struct ip_addr a = addr("192.0.2.1"), b = addr("::ffff:192.0.2.1");

    assert_true(ip_addr_eq(&a, &b));
    assert_true(ip_addr_is_v4(&a));
    assert_false(ip_addr_is_v4(&(struct ip_addr[]){ addr("::192.0.2.1") }[0]));
}

static void kinds_are_told_apart(void **state)
{
    static const struct {
        const char *text;
        bool any, unicast, loopback, linklocal;
    } rows[] = {
        { "0.0.0.0", true, false, false, false },
        { "::", true, false, false, false },
        { "127.0.0.1", false, true, true, false },
        { "127.255.255.254", false, true, true, false },
        { "::1", false, true, true, false },
        { "::2", false, true, false, false },
        { "10.0.0.1", false, true, false, false },
        { "0.1.2.3", false, false, false, false },
        { "223.255.255.255", false, true, false, false },
        { "224.0.0.1", false, false, false, false },
        { "239.1.1.1", false, false, false, false },
        { "240.0.0.1", false, false, false, false },
        { "255.255.255.255", false, false, false, false },
        { "fe80::1", false, true, false, true },
        { "febf::1", false, true, false, true },
        { "fec0::1", false, true, false, false },
        { "2001:db8::1", false, true, false, false },
        { "ff02::1", false, false, false, false },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ip_addr a = addr(rows[i].text);

        if (ip_addr_is_any(&a) != rows[i].any || ip_addr_is_unicast(&a) != rows[i].unicast ||
            ip_addr_is_loopback(&a) != rows[i].loopback ||
            ip_addr_is_linklocal(&a) != rows[i].linklocal)
            fail_msg("%s", rows[i].text);
    }
}

static void text_is_as_people_write_it(void **state)
{
    static const char *const rows[][2] = {
        { "192.0.2.1", "192.0.2.1" },
        { "::ffff:192.0.2.1", "192.0.2.1" },
        { "2001:DB8:0:0::1", "2001:db8::1" },
        { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
    };
    char buf[IP_ADDR_STRLEN];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ip_addr a = addr(rows[i][0]);

        assert_string_equal(ip_addr_format(&a, buf), rows[i][1]);
    }
}

static void text_with_a_port_is_unambiguous(void **state)
{
    static const struct {
        const char *text;
        uint16_t port;
        const char *want;
    } rows[] = {
        { "10.0.0.1", 80, "10.0.0.1:80" },
        { "::1", 65535, "[::1]:65535" },
        { "0.0.0.0", 22, "*:22" },
        { "::", 22, "*:22" },
        { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535,
          "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
    };
    char buf[IP_ADDR_STRLEN];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ip_addr a = addr(rows[i].text);

        assert_string_equal(ip_addr_format_port(&a, rows[i].port, buf), rows[i].want);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ipv4_address_is_its_mapped_form),
        cmocka_unit_test(kinds_are_told_apart),
        cmocka_unit_test(text_is_as_people_write_it),
        cmocka_unit_test(text_with_a_port_is_unambiguous),
    };

    return cmocka_run_group_tests_name("base/ip_addr", tests, NULL, NULL);
}
